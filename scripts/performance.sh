#!/usr/bin/env bash
# Usage: scripts/performance.sh [DIR [NAME...]]
#
# Measures everything that docs/performance.md shows, in about 20 minutes, and writes into DIR (default
# docs/performance): for each command its JSON, its table as text, and its drawing where something grows.
# With names, of the commands below, only these are measured again. It needs two cores that nothing else uses. RUNS is
# how often each row is measured.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=${1:-docs/performance}
only=${*:2}
: "${RUNS:=2}"
mkdir -p "$out"
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
# The figures carry the commit, with + behind it if the tree differs.
commit=$(git describe --always --abbrev=12 --exclude '*' --dirty=+)
go build -ldflags "-X github.com/otpd/otpd/cmd/otpd/internal/bench.revision=$commit" -o "$bin/otpd" ./cmd/otpd
go build -o "$bin/withpg" ./internal/testpg/cmd/withpg
PATH=$bin:$PATH

# bench NAME ARGUMENT...: one command of otpd bench, which writes NAME.json, NAME.txt and, after --draw, NAME.svg. BESIDE
# is what runs it, if anything.
bench() {
	local name=$1 start=$SECONDS
	shift
	if [ -n "$only" ] && [[ " $only " != *" $name "* ]]; then
		return
	fi
	local draw=()
	if [ "$1" = --draw ]; then
		draw=(--svg "$out/$name.svg")
		shift
	fi
	{
		echo "\$ ${BESIDE:+$BESIDE }otpd bench $*"
		${BESIDE:-} otpd bench "$@" --save "$out/$name.json" "${draw[@]}" 2>"$bin/errors" || {
			cat "$bin/errors" >&2
			return 1
		}
	} >"$out/$name.txt"
	echo "$name: $((SECONDS - start)) s"
}

pinned=(--pin --runs "$RUNS")
short=(--for 4s --warmup 1s)

bench floor floor "${pinned[@]}" --for 2s
bench growth --draw zone --clients 10,50,100,200,400 --hz 20 --bare "${short[@]}" "${pinned[@]}"
bench small zone --clients 50 --hz 10 --both --bare --flush 0 "${short[@]}" "${pinned[@]}"
bench coalescing zone --clients 100,200,400 --hz 20 --coalesce "${short[@]}" "${pinned[@]}"
bench highest zone --clients 100,200 --highest 100ms --bare --for 2s --warmup 1s --pin --runs 1
bench stall zone --clients 100 --hz 20 --stall 0,1 --for 12s --warmup 1s --pin --runs 1
bench agents --draw zone --clients 200 --hz 20 --agents 1,2,4 "${short[@]}" "${pinned[@]}"
bench zones --draw zone --clients 1000 --zones 10,100,500 --hz 2 --bare "${short[@]}" "${pinned[@]}"
# 10,000 sessions: an update of each in five seconds is what a core that nothing else uses has time for. The warm-up is
# long, since for some seconds after so many came there are more packets than later.
bench many zone --clients 10000 --zones 1000 --hz 0.1,0.2 --beside-one 1 --bare --flush 0 --for 8s --warmup 12s "${pinned[@]}"
bench mixed --draw mixed --clients 100,300,1000 "${short[@]}" "${pinned[@]}"
bench state --draw state --zone 0 "${pinned[@]}" --for 1s
bench openings --draw state --fill 0 --creates 1000 --objects 0 --delete 0 --for 10ms "${pinned[@]}"
bench route --draw route --for 1s --runs "$RUNS"
bench login login "${pinned[@]}"
bench idle --draw idle --sessions 100,1000,3000 --for 3s "${pinned[@]}"
bench db db --db "sqlite:$bin/bench.db" --rate 2000,10000 --for 10s --warmup 2s --runs 1
BESIDE=withpg bench db-postgres db --db {} --rate 2000,20000 --for 10s --warmup 2s --runs 1

# The page shows the figures between two marks.
otpd bench targets "$out" >"$bin/figures"
if [ "$out" = docs/performance ]; then
	awk -v figures="$bin/figures" '
		/^<!-- end of figures -->$/ { skip = 0 }
		!skip { print }
		/^<!-- figures -->$/ { while ((getline line < figures) > 0) print line; skip = 1 }
	' docs/performance.md >"$bin/page"
	cp "$bin/page" docs/performance.md
else
	cat "$bin/figures"
fi
