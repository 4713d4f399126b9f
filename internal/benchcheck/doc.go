// Command benchcheck is `make bench-check`: it compares the micro-benchmarks of the hot path with what is stored in
// baseline.txt, and fails where one got slower by half or allocates more.
//
// Times are stored as ratios to a reference that is measured in the same run, beside each benchmark: a fixed loop of
// the same kind of work (map look-ups, appends, branches), or a memory copy. So a slow machine does not fail it. All
// benchmarks are run in turn, ten times; the median ratio counts. One that is above the bound is measured again, with
// more time, up to four more series, and fails only if every series is above: what a busy machine does to a single
// series is no reason to be red. Allocations are exact: the least of all runs counts, and one more than stored fails.
//
//	go run ./internal/benchcheck           # compare
//	go run ./internal/benchcheck -update   # store the lowest median of five series
//
// A change that makes something slower for a good reason stores the new ratio, where a reviewer sees it.
package main
