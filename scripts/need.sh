#!/usr/bin/env bash
# Usage: scripts/need.sh
#
# Sees to it that the machine has what the tests need besides Go: a C compiler for the race detector, and the
# server programs of PostgreSQL (initdb, postgres). What is missing is installed by apt-get, as root or by sudo
# without a password. No server is started here: internal/testpg starts its own, in a temporary directory.
set -euo pipefail

# The one that the go command would take, which must find the headers of the C library, too.
have_compiler() {
	local cc
	cc=$(go env CC)
	printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' | $cc -fsyntax-only -x c - 2>/dev/null && echo "$cc"
}

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

# apt runs apt-get as root. It waits for another that is at work, and asks a server again that does not answer.
apt() {
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=5 "$@"
}

# install WHAT PACKAGE... installs packages, or says what a person has to do.
install() {
	local what=$1
	shift
	command -v apt-get >/dev/null || missing "$what" "there is no apt-get" "$*"
	root=()
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null && sudo -n true 2>/dev/null || missing "$what" "not root, and no sudo without a password" "$*"
		root=(sudo -n)
	fi
	echo "installing $*"
	if [ -z "${updated:-}" ]; then
		# The lists that are there may do, if one of the servers is away.
		apt update || echo "need.sh: apt-get update failed, the lists may be old" >&2
		updated=yes
	fi
	apt install --no-install-recommends "$@" || missing "$what" "apt-get install failed" "$*"
}

# Debian's package makes and starts a cluster of its own unless this setting, which comes with postgresql-common, says no.
install_postgres() {
	install PostgreSQL postgresql-common
	local conf=/etc/postgresql-common/createcluster.conf
	if [ -f "$conf" ]; then
		"${root[@]}" sed -ri 's/^#?[[:space:]]*create_main_cluster .*$/create_main_cluster = false/' "$conf"
	fi
	install PostgreSQL postgresql
}

cc=$(have_compiler) || {
	install "a C compiler" gcc libc6-dev
	cc=$(have_compiler) || missing "a C compiler" "$(go env CC) does not compile after the installation" "gcc libc6-dev"
}
echo "C compiler: $cc"
bin=$(have_postgres) || {
	install_postgres
	bin=$(have_postgres) || missing PostgreSQL "no initdb after the installation" postgresql
}
echo "PostgreSQL: $bin"
