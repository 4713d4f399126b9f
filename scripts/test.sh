#!/usr/bin/env bash
# Usage: scripts/test.sh [STAGE...]
#
# Runs the stages of `make test` in order (or only those named) and ends at the first that fails, with its name.
# Each stage is a function stage_NAME below and runs in a shell of its own, under set -e.
# FUZZTIME is the time for each fuzz target, SEEDS how many fresh worlds are simulated.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

stages=(tools build vet staticcheck format tidy tests sim fuzz)

export GOFLAGS="${GOFLAGS:--buildvcs=false}"
: "${FUZZTIME:=3s}"
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

# go test fuzzes one target of one package at a time. A package without fuzz targets prints only its "ok" line.
stage_fuzz() {
	local package listed target
	for package in $(go list ./...); do
		listed=$(go test -list '^Fuzz' "$package")
		for target in $(grep '^Fuzz' <<<"$listed" || true); do
			echo "$package $target"
			go test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" "$package"
		done
	done
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
