package messagedirector

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/wire"
)

// rule 11: who takes a node's place keeps its will from being run; what that would have ended lives on.
func TestRule11WhoTakesTheNodesPlaceKeepsItsWillFromBeingRun(t *testing.T) {
	n1, n2, p1, p2 := pair(t)
	p2.Route([]wire.Message{control(&wire.AddPostRemove{Message: digest(5, zone20)})})
	works(t, p1, p2) // the will is known to n1 by now
	require.Zero(t, n2.Down())
	n2.Abandon()
	var batch []wire.Message
	var err error
	for err == nil {
		_, err = p2.Inbox().Wait(context.Background(), &batch)
	}
	require.ErrorIs(t, err, ErrCut)
	require.ErrorIs(t, n2.Err(), ErrCut)
	again, err := n2.director.Connect(context.Background(), n1.URL(), NodeConfig{Name: "two", Lease: time.Second, After: n2.ID()})
	require.NoError(t, err)
	p3 := n2.director.Join("three")
	gone := false
	until(t, p1, func(m wire.Message) bool { // when its lease has run out
		b, tick := m.Body.(*wire.Tick)
		require.False(t, tick && b.Unix == 5)
		gone = linkLost(n2, true)(m)
		return gone
	})
	p3.Route([]wire.Message{digest(9, zone20)})
	until(t, p1, func(m wire.Message) bool {
		b, ok := m.Body.(*wire.Tick)
		require.False(t, ok && b.Unix == 5)
		return ok && b.Unix == 9
	})
	require.NoError(t, again.Close(context.Background()))
}

// A will that is being run is waited for.
func TestRule11WhoTakesADeadNodesPlaceWaitsForItsWill(t *testing.T) {
	n1, n2, p1, p2 := pair(t)
	p2.Route([]wire.Message{control(&wire.AddPostRemove{Message: digest(5, zone20)})})
	works(t, p1, p2)
	declareDead(t, n1, n2, n1.ID())
	<-n2.Done()
	again, err := n2.director.Connect(context.Background(), n1.URL(), NodeConfig{Name: "two", Lease: time.Second, After: n2.ID()})
	require.NoError(t, err)
	p3 := n2.director.Join("three")
	p3.Route([]wire.Message{digest(9, zone20)})
	var got []int
	until(t, p1, func(m wire.Message) bool {
		if b, ok := m.Body.(*wire.Tick); ok && b.Unix != 42 {
			got = append(got, int(b.Unix))
		}
		return len(got) == 2
	})
	require.Equal(t, []int{5, 9}, got)
	require.NoError(t, again.Close(context.Background()))
}

// A process that serves a bus on a directory knows that the one before it is dead.
func TestDaemonDeclaresTheOneBeforeDead(t *testing.T) {
	dir := t.TempDir()
	begin := func() *Node {
		n, err := newLoggingDirector(t, "daemon").Serve(context.Background(), BusConfig{NodeConfig: NodeConfig{Lease: time.Minute}, StoreDir: dir})
		require.NoError(t, err)
		return n
	}
	first := begin()
	first.Abandon()
	second := begin()
	rec, err := second.registry.get(context.Background(), first.ID())
	require.NoError(t, err)
	require.Equal(t, stateDead, rec.State)
	require.False(t, rec.Done, "its will is for who has it")
	require.NoError(t, second.Close(context.Background()))
}
