// Command mutants brings known wrong behaviours back, one at a time, and checks that a test finds each.
//
//	go run ./internal/mutants              # all of testdata/mutants
//	go run ./internal/mutants -run owner   # those whose name matches
//
// Each file is a patch of one or a few lines with a header above it: the rule that it breaks, the test that must fail,
// and what is wrong then, most often what a known server does. The patch is applied to a copy of the tree, the one test is
// run, and the patch is taken back. A mutant that lives, that the test does not compile with, or that does not apply any
// more ends the command with status 1.
package main
