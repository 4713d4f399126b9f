//go:build !unix

package daemon

// lock does nothing where directories cannot be locked.
func lock(string) (unlock func() error, err error) { return func() error { return nil }, nil }
