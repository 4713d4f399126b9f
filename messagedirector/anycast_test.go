package messagedirector

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

var counter = do.UberDOG(do.WellKnown(4680))

// callOf is a call of caller n to the counter.
func callOf(n uint64) wire.Message {
	caller := do.Session(do.NewID(0, 1, n))
	return wire.Message{To: []do.Channel{counter}, From: caller, Body: &wire.Call{Context: uint32(n), Caller: caller, DO: counter.ID}}
}

// calls are the numbers of the callers that reached p since the last time.
func calls(t *testing.T, p *Participant) []uint32 {
	var out []uint32
	for _, m := range received(t, p) {
		out = append(out, m.Body.(*wire.Call).Context)
	}
	return out
}

// rule 171: several processes serve one UberDOG; one of them gets each call, and each of them gets some.
func TestRule171OneServerGetsACall(t *testing.T) {
	d := newDirector(t)
	agent := d.Join("agent")
	servers := []*Participant{d.Join("a"), d.Join("b"), d.Join("c")}
	for _, p := range servers {
		p.Route([]wire.Message{subscribe(counter)})
	}
	const callers = 300
	by := map[uint32]int{}
	for turn := range 2 {
		var ms []wire.Message
		for n := range uint64(callers) {
			ms = append(ms, callOf(n))
		}
		agent.Route(ms)
		total := 0
		for i, p := range servers {
			got := calls(t, p)
			require.Greater(t, len(got), callers/6, "%s", p.Name())
			total += len(got)
			for _, n := range got {
				if turn == 0 {
					by[n] = i
				}
				require.Equal(t, by[n], i, "a caller's calls stay in order")
			}
		}
		require.Equal(t, callers, total)
	}

	// Events reach all; a call of one that serves reaches another; those of one that leaves go to who is left.
	agent.Route([]wire.Message{digest(1, counter)})
	for _, p := range servers {
		require.Equal(t, []int{1}, numbers(received(t, p)))
	}
	servers[2].Leave()
	for n := range uint64(20) {
		servers[0].Route([]wire.Message{callOf(n)})
	}
	require.Empty(t, calls(t, servers[0]))
	require.Len(t, calls(t, servers[1]), 20)
	servers[1].Leave()
	agent.Route([]wire.Message{callOf(1)})
	require.Len(t, calls(t, servers[0]), 1)
}

// The same over two nodes with two servers each, for callers at both of them.
func TestRule171OneServerOfSeveralNodesGetsACall(t *testing.T) {
	d, n := serve(t, time.Second)
	servers := []*Participant{d.Join("a"), d.Join("b")}
	hosting(servers[0])
	d2, _ := connect(t, n, "district")
	servers = append(servers, d2.Join("c"), d2.Join("d"))
	hosting(servers[2])
	for _, i := range []int{2, 3, 0, 1} { // the first that is settled has told the other node that it hosts
		settled(t, servers[i], counter)
	}
	callers := []*Participant{d.Join("agent"), d2.Join("agent")}
	const each = 200
	for i, p := range callers {
		for n := range uint64(each) {
			p.Route([]wire.Message{callOf(uint64(i)*each + n)})
		}
		p.Route([]wire.Message{digest(i, counter)}) // reaches all, behind the calls
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var batch []wire.Message
	seen := map[uint32]bool{}
	for _, p := range servers {
		got := 0
		for last := 0; last < len(callers); {
			ms, err := p.Inbox().Wait(ctx, &batch)
			require.NoError(t, err)
			for _, m := range ms {
				c, ok := m.Body.(*wire.Call)
				if !ok {
					last++
					continue
				}
				require.False(t, seen[c.Context], "twice")
				seen[c.Context] = true
				got++
			}
		}
		require.Greater(t, got, each/4)
	}
	require.Len(t, seen, 2*each)
}
