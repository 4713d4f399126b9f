#!/usr/bin/env bash
# Usage: scripts/need.sh
#
# Sees to it that the machine has what the tests need besides Go: a C compiler for the race detector, and the
# server programs of PostgreSQL (initdb, postgres). What is missing is installed by apt-get, as root or by sudo
# without a password. No server is started here: internal/testpg starts its own, in a temporary directory.
set -euo pipefail

have_compiler() { command -v "${CC:-cc}" || command -v gcc || command -v clang; }

# The places that internal/testpg looks at, too: OTPD_PG_BIN, the distribution's folder, PATH.
have_postgres() {
	local dir
	for dir in "${OTPD_PG_BIN:-}" /usr/lib/postgresql/*/bin "$(dirname "$(command -v initdb || echo /nowhere/initdb)")"; do
		if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then
			echo "$dir"
			return 0
		fi
	done
	return 1
}

missing() {
	echo "need.sh: $1 is missing and cannot be installed from here: $2" >&2
	echo "need.sh: install it and run again; on Debian: apt-get install $3" >&2
	exit 1
}

# install WHAT PACKAGE... installs packages, or says what a person has to do.
install() {
	local what=$1 root=()
	shift
	command -v apt-get >/dev/null || missing "$what" "there is no apt-get" "$*"
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null && sudo -n true 2>/dev/null || missing "$what" "not root, and no sudo without a password" "$*"
		root=(sudo -n)
	fi
	echo "installing $*"
	if [ -z "${updated:-}" ]; then
		"${root[@]}" apt-get update -q || missing "$what" "apt-get update failed" "$*"
		updated=yes
	fi
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" ||
		missing "$what" "apt-get install failed" "$*"
}

# Debian's package makes and starts a cluster of its own unless this setting, which comes with postgresql-common, says no.
install_postgres() {
	install PostgreSQL postgresql-common
	local conf=/etc/postgresql-common/createcluster.conf edit=(sed -ri)
	if [ "$(id -u)" != 0 ]; then
		edit=(sudo -n sed -ri)
	fi
	if [ -f "$conf" ]; then
		"${edit[@]}" 's/^#?[[:space:]]*create_main_cluster .*$/create_main_cluster = false/' "$conf"
	fi
	install PostgreSQL postgresql
}

have_compiler >/dev/null || install "a C compiler" gcc libc6-dev
have_postgres >/dev/null || install_postgres
echo "C compiler: $(have_compiler | head -n 1)"
echo "PostgreSQL: $(have_postgres || missing PostgreSQL "no initdb after the installation" postgresql)"
