package repository

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/wire"
)

func TestSleepLetsOthersRunAndIsASavePoint(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{})
	slept := x.do(func(ctx context.Context) error {
		a.HP = 5
		if err := a.Save(); err != nil {
			return err
		}
		return x.a.Sleep(ctx, time.Second)
	})
	require.IsType(t, &wire.SetFields{}, x.one(), "what came before the sleep was sent")
	other := x.do(func(context.Context) error { return nil })
	require.NoError(t, *other)
	x.tick(second - 1)
	require.ErrorIs(t, *slept, errPending)
	x.tick(1)
	require.NoError(t, *slept)
}

func TestSleepEndsWithItsContext(t *testing.T) {
	x := newAITest(t)
	ctx, cancel := context.WithCancel(context.Background())
	var got error
	x.a.Do(ctx, func(ctx context.Context) error { return x.a.Sleep(ctx, time.Hour) }, func(err error) { got = err })
	cancel()
	x.tick(second)
	require.ErrorIs(t, got, context.Canceled)
	require.ErrorIs(t, x.a.Sleep(context.Background(), 0), ErrNoHandler)
}

func TestElsewhereWaitsForDoneOnce(t *testing.T) {
	x := newAITest(t)
	var done func(error)
	got := x.do(func(ctx context.Context) error {
		return x.a.Elsewhere(ctx, "work", func(d func(error)) { done = d })
	})
	require.ErrorIs(t, *got, errPending)
	failed := errors.New("failed")
	done(failed)
	require.ErrorIs(t, *got, failed)
	done(nil)
	require.ErrorIs(t, *got, failed, "the first answer counts")
}

func TestElsewhereGivesUpAtTheDeadline(t *testing.T) {
	x := newAITest(t)
	var done func(error)
	got := x.do(func(ctx context.Context) error {
		return x.a.Elsewhere(ctx, "work", func(d func(error)) { done = d })
	})
	x.tick(11 * second)
	require.ErrorIs(t, *got, ErrUnanswered)
	done(nil)
	require.ErrorIs(t, *got, ErrUnanswered)
}

func TestOffloadRunsBesideTheLoop(t *testing.T) {
	x := newAITest(t)
	loop := NewLoop(x.a, Shell{Flush: func() {}})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		loop.Run(ctx)
		close(ended)
	}()
	release, slow := make(chan struct{}), make(chan error, 1)
	require.NoError(t, loop.Do(func(ctx context.Context) error {
		slow <- loop.Offload(ctx, &x.a.State, "slow", func() error {
			<-release
			return nil
		})
		return nil
	}))
	require.NoError(t, loop.DoWait(context.Background(), func(context.Context) error { return nil }), "the loop goes on meanwhile")
	require.Empty(t, slow)
	close(release)
	require.NoError(t, <-slow)
	stop()
	<-ended
	loop.Close()
}
