// Package layout holds the shape of the project as tests: which package may import which, with the reason, and
// that every package says what it is for.
package layout
