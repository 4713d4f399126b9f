package repository

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// direct is a driver whose handlers return at once.
type direct struct{}

func (direct) OwnLoop()      {}
func (direct) Advance(int64) {}
func (direct) Tick(int64)    {}
func (direct) Next() int64   { return 0 }
func (direct) Close()        {}

func (direct) Do(ctx context.Context, fn func(ctx context.Context) error, done func(error)) {
	err := fn(ctx)
	if done != nil {
		done(err)
	}
}

// Who waits for a handler may count on it that what it caused is on its way, in order before what comes of going on.
func TestDoWaitReturnsWhenAllIsSent(t *testing.T) {
	var caused, sent atomic.Bool
	loop := NewLoop(direct{}, Shell{Flush: func() {
		time.Sleep(time.Millisecond)
		sent.Store(caused.Load())
	}})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); loop.Run(ctx) }()
	for range 10 {
		caused.Store(false)
		require.NoError(t, loop.DoWait(t.Context(), func(context.Context) error {
			caused.Store(true)
			return nil
		}))
		require.True(t, sent.Load())
	}
	stop()
	<-done
}
