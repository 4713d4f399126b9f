//go:build unix

package daemon

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock keeps other daemons out of a data directory until unlock, or the end of the process: two of them would write
// over each other's registry. It leaves no file behind: the lock is on the directory itself.
func lock(dir string) (unlock func() error, err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("%s is in use by another otpd", dir)
		}
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}
