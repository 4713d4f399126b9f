#!/usr/bin/env bash
# Usage: scripts/test.sh [STAGE...]
#
# Runs the stages of `make test` in order (or only those named) and ends at the first that fails, with its name.
# Each stage is a function stage_NAME below and runs in a shell of its own, under set -e.
# FUZZTIME is how long each fuzz target is run, SEEDS how many fresh worlds are simulated. By default FUZZTIME is a
# number of inputs: when a time is over, go test before 1.27 sometimes fails with "context deadline exceeded" on a busy
# machine (golang.org/issue/75804).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

stages=(tools build vet staticcheck format tidy tests sim fuzz)

export GOFLAGS="${GOFLAGS:--buildvcs=false}"
: "${FUZZTIME:=20000x}"
: "${SEEDS:=300}"
# The go command needs a place for its caches, even for a user without a home.
if [ -z "${HOME:-}" ]; then
	HOME=$(mktemp -d)
	export HOME
fi
command -v go >/dev/null || PATH=$PATH:/usr/local/go/bin
export PATH FUZZTIME SEEDS

# What the tests need besides Go: a C compiler (the race detector links with it) and the PostgreSQL server programs.
stage_tools() {
	go version
	bash scripts/need.sh
}

stage_build() { go build ./...; }

stage_vet() { go vet ./...; }

stage_staticcheck() { go tool staticcheck ./...; }

stage_format() {
	local wrong
	wrong=$(go tool gofumpt -l .)
	if [ -n "$wrong" ]; then
		printf 'not formatted (run: go tool gofumpt -w .):\n%s\n' "$wrong"
		return 1
	fi
}

stage_tidy() { go mod tidy -diff; }

# The hot path's micro-benchmarks against internal/benchcheck/baseline.txt. Not part of make test: it measures.
stage_bench() { go run ./internal/benchcheck; }

stage_tests() { go test -race -shuffle=on -timeout 20m ./...; }

# Fresh seeds each time; they are printed, and a failure prints the command that repeats it.
stage_sim() { go test -run TestSeeds -count=1 -v -timeout 20m ./internal/sim -seeds "$SEEDS"; }

# go test fuzzes one target of one package at a time.
stage_fuzz() {
	local format='{{range .TestGoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}'
	local files file target targets=0
	files=$(go list -f "$format" ./...)
	for file in $files; do
		for target in $(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$file"); do
			targets=$((targets + 1))
			echo "$(dirname "$file") $target"
			go test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" "$(dirname "$file")"
		done
	done
	[ "$targets" -gt 0 ]
}

if [ "${1:-}" = --stage ]; then
	"stage_$2"
	exit
fi

if [ $# -gt 0 ]; then
	stages=("$@")
fi
for stage in "${stages[@]}"; do
	if ! declare -F "stage_$stage" >/dev/null; then
		echo "scripts/test.sh: no stage $stage" >&2
		exit 2
	fi
	echo "==> $stage"
	start=$SECONDS
	if ! bash "$0" --stage "$stage" </dev/null; then
		echo "==> FAILED: $stage, after $((SECONDS - start)) s" >&2
		exit 1
	fi
	echo "    $stage: $((SECONDS - start)) s"
done
echo "==> all passed: ${stages[*]}"
