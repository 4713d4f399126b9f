package main

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/cmd/otpd/internal/daemon"
)

// stands waits until the square and its bell are there, and rings it.
func (s *server) stands(player string) {
	s.t.Helper()
	s.until(func() bool { return len(s.truth()) == 2 }, "the square and its bell")
	start(s.t, nil, hello(s.t), "ring", s.pin, s.addr, player).says("rung 1 times")
}

// The daemon is killed and started again, at the same address or at another one: the AI process joins again, finds out
// what is gone, and puts it back.
func TestAIOutlivesTheDaemon(t *testing.T) {
	for _, moves := range []bool{false, true} {
		t.Run(map[bool]string{false: "same address", true: "other address"}[moves], func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			s := serve(t, data)
			join, args := "file:"+filepath.Join(data, daemon.JoinFile), []string(nil)
			if !moves {
				u, err := url.Parse(s.join)
				require.NoError(t, err)
				join, args = s.join, []string{"--bus=" + u.Host, "--bus-token=" + u.User.Username()}
			}
			bell := start(t, nil, hello(t), "ai", join)
			s.stands("Flippy")
			for range 2 {
				s.kill()
				for _, name := range []string{daemon.ReadyFile, daemon.JoinFile, daemon.PinFile, daemon.AdminFile} {
					require.NoError(t, os.Remove(filepath.Join(data, name))) // or they were taken for the next one's
				}
				s = serve(t, data, args...)
				s.stands("Duke")
			}
			bell.signal(syscall.SIGINT)
			require.Zero(t, bell.wait(), bell.errs.String())
		})
	}
}

// An AI process is stopped until the cluster has declared it dead and run its will. It joins again as a new node.
func TestAIThatWasDeclaredDeadJoinsAgain(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	bell := start(t, nil, hello(t), "ai", s.join)
	s.stands("Flippy")
	bell.signal(syscall.SIGSTOP)
	s.until(func() bool { return len(s.truth()) == 0 }, "its will is run")
	bell.signal(syscall.SIGCONT)
	bell.says("joined the cluster again")
	s.stands("Duke")
}

// An AI process tries all addresses that it was given.
func TestAIJoinsAtAnyAddress(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = nobody.Close() })
	u, err := url.Parse(s.join)
	require.NoError(t, err)
	require.NoError(t, nobody.Close())
	u.Host = nobody.Addr().String()
	start(t, nil, hello(t), "ai", u.String()+","+s.join)
	s.stands("Flippy")
}

// What a daemon that was killed left in its data directory is gone before the next one does anything that can fail.
func TestStaleFilesAreRemoved(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := serve(t, data)
	s.kill()
	require.NotEmpty(t, leftBehind(t, data))
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	next := start(t, nil, otpd(t), "run", "--dev", "--data="+data, "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--bus="+taken.Addr().String())
	require.NotZero(t, next.wait())
	require.Empty(t, leftBehind(t, data))
}
