package clientagent

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/wire"
)

// TestLittleOutputIsWrittenAtOnce: but nothing overtakes what the writer has, and the writer, whose Write waits for the
// client, has its turn before long.
func TestLittleOutputIsWrittenAtOnce(t *testing.T) {
	_, server := link.Pipe(link.PipeConfig{Window: 3 * directMost})
	var w writer
	little := func() *Out { return &Out{Stream: make([]byte, directMost/8)} }
	for range 8 {
		require.True(t, w.direct(server, little()))
	}
	require.False(t, w.direct(server, little()), "the writer's turn")
	require.True(t, w.direct(server, little()), "then it begins anew")

	w.unwritten.Store(1)
	require.False(t, w.direct(server, little()), "it would overtake")
	w.unwritten.Store(0)
	require.True(t, w.direct(server, little()))

	for name, o := range map[string]*Out{
		"much":      {Stream: make([]byte, directOnce+1)},
		"datagrams": {Stream: make([]byte, 1), Datagrams: make([]byte, 1), Ends: []int{1}},
		"the end":   {Stream: make([]byte, 1), Close: true},
		"nothing":   {},
	} {
		require.False(t, w.direct(server, o), name)
	}

	taken := 0
	for range 100 { // nobody reads, so the pipe is full before long
		if w.direct(server, little()) {
			taken += directMost / 8
		}
	}
	require.Less(t, taken, 3*directMost)
	require.False(t, w.direct(server, little()))
}

// TestWrittenOutputIsNoBacklog: who is owed little is not asked about.
func TestWrittenOutputIsNoBacklog(t *testing.T) {
	s, _ := fanned(t, 2)
	s.Backlogged()
	for _, u := range s.order {
		u.pending = 0
	}
	require.Empty(t, s.Backlogged())
	next := movement(s, false)
	var out wire.Outbox
	unwritten := map[do.ID]int{}
	for _, written := range []bool{true, false, true} {
		require.NoError(t, s.Step(next(), &out))
		s.Flush(func(o *Out) {
			if o.Written = written; !written {
				unwritten[o.Session] += len(o.Stream)
			}
		})
	}
	require.Len(t, unwritten, 2)
	left := s.Backlogged()
	require.Len(t, left, 2)
	for _, b := range left {
		require.EqualValues(t, unwritten[b.Session], b.Pending)
	}
}

// TestWhatOpeningsBroughtIsBookedOnce: once written, directly or not, it raises the limit of the backlog no more.
func TestWhatOpeningsBroughtIsBookedOnce(t *testing.T) {
	for _, written := range []bool{true, false} {
		s, err := New(Config{Instance: do.NewID(0, 1, 1), Backlog: 1 << 30})
		require.NoError(t, err)
		ids := fan(t, s, 2, 10)
		for _, u := range s.order {
			require.Positive(t, u.allowed)
			u.loading.again()
		}
		s.Flush(func(o *Out) { o.Written = written })
		if !written {
			for _, id := range ids {
				require.Positive(t, s.sessions[id].allowed)
				s.sessionDrained(&wire.SessionDrained{Session: id})
			}
		}
		for _, u := range s.order {
			require.Zero(t, u.allowed)
			require.Zero(t, u.loading)
		}
	}
}

// TestRule100WhoReadsSlowlyMakesProgress: a large opening is not one write, of which the State hears at its end only.
func TestRule100WhoReadsSlowlyMakesProgress(t *testing.T) {
	const much = 16 * writeOnce
	client, server := link.Pipe(link.PipeConfig{Window: 4 << 10})
	p := newPeer(nil, server, do.NewID(0, 1, 1))
	ended := make(chan struct{})
	go func() { defer close(ended); p.write() }()
	close(p.reads)
	sent := make([]byte, much)
	for i := range sent {
		sent[i] = byte(i / writeOnce)
	}
	p.w.put(&Out{Stream: append([]byte(nil), sent...)})
	var got []byte
	read := func(n int) {
		at := len(got)
		got = append(got, make([]byte, n)...)
		_, err := io.ReadFull(client, got[at:])
		require.NoError(t, err)
	}
	for left := int64(much - writeOnce); left > 0; left -= writeOnce {
		read(writeOnce)
		require.Eventually(t, func() bool { return p.w.unwritten.Load() <= left }, time.Minute, time.Millisecond, "%d bytes were read", len(got))
	}
	require.Positive(t, p.w.unwritten.Load())
	read(writeOnce)
	require.Equal(t, sent, got)
	require.Eventually(t, func() bool { return p.w.unwritten.Load() == 0 }, time.Minute, time.Millisecond)
	p.w.put(&Out{Close: true})
	<-ended
}
