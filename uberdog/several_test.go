package uberdog_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/testcluster"
	"github.com/otpd/otpd/uberdog"
)

// Queue gives numbers.
type Queue struct {
	do.Object
	Draw do.Call[string, string] `do:"clsend"`
}

var queueID = do.WellKnown(1)

type QueueUD struct {
	Queue
	name  string
	drawn *atomic.Int64 // by all processes
}

func (q *QueueUD) OnDraw(string) (string, error) {
	q.drawn.Add(1)
	return q.name, nil
}

// process is an AI process that runs until stop or the end of the test.
func process(t *testing.T, c *testcluster.Cluster, name string) (repo *ai.Repository, stop func()) {
	r := do.NewRegistry()
	require.NoError(t, r.UberDOG(queueID, Queue{}, false))
	require.NoError(t, r.Behave(func() *QueueUD { return &QueueUD{} }))
	repo, err := ai.Connect(t.Context(), ai.Config{Director: c.Director, Registry: r, Name: name, Log: c.Log})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	var stopped atomic.Bool
	stop = func() {
		if stopped.CompareAndSwap(false, true) {
			cancel()
			require.NoError(t, <-done)
		}
	}
	t.Cleanup(stop)
	go func() { done <- repo.Run(ctx) }()
	return repo, stop
}

// rule 171: of several processes that serve an UberDOG one handles each call; when one goes, the others do.
func TestRule171SeveralProcessesShareTheCalls(t *testing.T) {
	c := testcluster.New(t)
	var drawn atomic.Int64
	stops := map[string]func(){}
	for _, name := range []string{"left", "right"} {
		repo, stop := process(t, c, name)
		stops[name] = stop
		require.NoError(t, repo.DoWait(t.Context(), func(context.Context) error {
			return uberdog.Serve(repo, queueID, &QueueUD{name: name, drawn: &drawn})
		}))
	}
	draw := func(repo *ai.Repository) (by string) {
		require.NoError(t, repo.DoWait(t.Context(), func(ctx context.Context) error {
			q, err := ai.UberDOG[Queue](repo, queueID)
			if err != nil {
				return err
			}
			by, err = q.Draw.Call(ctx, "please")
			return err
		}))
		return by
	}
	const callers, each = 6, 5
	var last *ai.Repository
	by := ""
	for i := range callers {
		last, _ = process(t, c, fmt.Sprint("caller ", i))
		by = draw(last)
		for range each - 1 {
			require.Equal(t, by, draw(last), "a caller keeps its server")
		}
	}
	require.EqualValues(t, callers*each, drawn.Load(), "each call was handled once")

	stops[by]()
	require.NotEqual(t, by, draw(last), "who is left takes over")
	require.EqualValues(t, callers*each+1, drawn.Load())
}
