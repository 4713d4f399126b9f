package bench

import (
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// timer waits until a time, to some microseconds: Go's own timers are late by up to a millisecond in a process that
// is otherwise idle. A timerfd is a file that becomes readable, and so wakes the runtime's poller at once; it holds
// neither a thread nor a slot of the scheduler meanwhile. One goroutine owns it.
type timer struct {
	file *os.File
	fd   uintptr
}

// Of timerfd_create(2): the clock and flags have the same numbers on all of Linux.
const (
	clockMonotonic = 1
	timerFlags     = syscall.O_NONBLOCK | syscall.O_CLOEXEC
)

func newTimer() (*timer, error) {
	fd, _, errno := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, clockMonotonic, timerFlags, 0)
	if errno != 0 {
		return nil, fmt.Errorf("bench: make a timer: %w", errno)
	}
	return &timer{file: os.NewFile(fd, "timerfd"), fd: fd}, nil
}

// until waits until t.
func (w *timer) until(t time.Time) error {
	d := time.Until(t)
	if d <= 0 {
		return nil
	}
	spec := struct{ interval, value syscall.Timespec }{value: syscall.NsecToTimespec(int64(d))}
	_, _, errno := syscall.Syscall6(syscall.SYS_TIMERFD_SETTIME, w.fd, 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("bench: set a timer: %w", errno)
	}
	var expired [8]byte
	if _, err := w.file.Read(expired[:]); err != nil {
		return fmt.Errorf("bench: wait for a timer: %w", err)
	}
	return nil
}

func (w *timer) close() error { return w.file.Close() }
