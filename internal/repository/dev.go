package repository

import (
	"bytes"
	"fmt"
	"runtime"
	"strconv"

	"github.com/otpd/otpd/do"
)

// goroutineID is the number of the running goroutine, from its stack's first line: "goroutine 7 [running]:". Only dev
// mode asks.
func goroutineID() uint64 {
	var buf [64]byte
	b := buf[:runtime.Stack(buf[:], false)]
	b = bytes.TrimPrefix(b, []byte("goroutine "))
	if i := bytes.IndexByte(b, ' '); i > 0 {
		b = b[:i]
	}
	n, _ := strconv.ParseUint(string(b), 10, 64)
	return n
}

// OwnLoop says, in dev mode, that the calling goroutine is the loop from now on.
func (s *State) OwnLoop() {
	if s.cfg.Dev {
		s.loopID.Store(goroutineID())
	}
}

// onLoop fails, in dev mode, when the caller is not on the loop, and shows both stacks.
func (s *State) onLoop(verb string, id do.ID) error {
	loop := s.loopID.Load()
	if !s.cfg.Dev || loop == 0 {
		return nil
	}
	if me := goroutineID(); me != loop && me != s.sched.running.Load() {
		return fmt.Errorf("repository: %s %s: %w: use Do\n\nthe caller:\n%s\nthe loop:\n%s", verb, id, ErrOffLoop, stackOf(me), stackOf(loop))
	}
	return nil
}

// stackOf is the stack of a goroutine.
func stackOf(id uint64) []byte {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	head := []byte("goroutine " + strconv.FormatUint(id, 10) + " ")
	for part := range bytes.SplitSeq(buf, []byte("\n\n")) {
		if bytes.HasPrefix(part, head) {
			return append(bytes.Clone(part), '\n')
		}
	}
	return []byte("(ended)\n")
}
