# make test is the whole check, and does all of its own set-up. The other targets are parts of it or tools.

export GOFLAGS ?= -buildvcs=false

.PHONY: build test install lint fuzz sim bench bench-check performance crash mutants

build:
	go build -o bin/otpd ./cmd/otpd

test:
	@bash scripts/test.sh

install:
	go install ./cmd/otpd

lint:
	@bash scripts/test.sh build vet staticcheck format tidy bench

# FUZZTIME is the time for each target, e.g. make fuzz FUZZTIME=1m
fuzz:
	@bash scripts/test.sh fuzz

# SEEDS is how many worlds are simulated, e.g. make sim SEEDS=10000
sim:
	@bash scripts/test.sh sim

# BENCH picks the benchmarks; compare two outputs with: go tool benchstat old.txt new.txt
BENCH ?= .
bench:
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./...

# ROUNDS is how often the daemon, PostgreSQL or both are killed under load; AWAY how long PostgreSQL is stopped in the other test.
ROUNDS ?= 50
AWAY ?= 30s
crash:
	go test ./cmd/otpd -run 'TestCrash|TestDatabaseAway' -count=1 -v -timeout 60m -args -crash.rounds=$(ROUNDS) -crash.away=$(AWAY)

# bench-check fails where the hot path got slower by half, or allocates more, than internal/benchcheck/baseline.txt says;
# go run ./internal/benchcheck -update stores what is measured.
bench-check:
	@bash scripts/test.sh bench

# MUTANT picks mutants by name, e.g. make mutants MUTANT=owner
MUTANT ?=
mutants:
	go run ./internal/mutants -run '$(MUTANT)'

# performance measures all that docs/performance.md shows, into docs/performance. It wants a machine of its own.
performance:
	@bash scripts/performance.sh
