package messagedirector

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

var (
	asker   = do.AI(do.WellKnown(9))
	session = do.Session(do.NewID(0, 3, 3))
)

func asks(context uint32, to ...do.Channel) wire.Message {
	return wire.Message{To: to, From: asker, Body: &wire.SetState{Context: context, State: wire.StateEstablished}}
}

func gone(context uint32) *wire.Failed {
	return &wire.Failed{Context: context, Of: wire.TypeSetState, Code: wire.CodeGone, Text: "no such session"}
}

// TestRequestToASessionThatHasEndedIsAnswered: by the director, since nobody listens to it any more.
func TestRequestToASessionThatHasEndedIsAnswered(t *testing.T) {
	d, err := New(Config{})
	require.NoError(t, err)
	ai, agent := d.Join("ai"), d.Join("agent")
	account := do.Account(do.WellKnown(4))
	last := digest(99, zone20)
	ai.Route([]wire.Message{
		subscribe(zone20),
		asks(1, session), asks(2, account),
		asks(0, session), // nobody waits for an answer
		asks(3, session, account),
		asks(4, do.Control(do.RoleClientAgent)), // an agent that starts will listen
		{To: []do.Channel{session}, Body: &wire.SetState{Context: 5}},
		{To: []do.Channel{session}, From: asker, Body: &wire.Done{Context: 6, Of: wire.TypeSetFields}}, // an answer, not a request
	})
	agent.Route([]wire.Message{last})
	got := next(t, ai, 3)
	require.Equal(t, gone(1), got[0].Body)
	require.Equal(t, []do.Channel{asker}, got[0].To)
	require.Equal(t, gone(2), got[1].Body)
	require.Equal(t, last.Body, got[2].Body)

	agent.Route([]wire.Message{subscribe(session)})
	ai.Route([]wire.Message{asks(7, session)})
	require.Equal(t, asks(7, session).Body, next(t, agent, 1)[0].Body)
	agent.Route([]wire.Message{control(&wire.RemoveChannels{Channels: []do.Channel{session}})})
	ai.Route([]wire.Message{asks(8, session)})
	require.Equal(t, gone(8), next(t, ai, 1)[0].Body)
}

// TestRequestThatMeetsTheEndOfASessionIsAnswered: the session ended while the request was on its way to that node.
func TestRequestThatMeetsTheEndOfASessionIsAnswered(t *testing.T) {
	n1, n2, p1, p2 := pair(t)
	settled(t, p2, asker)
	works(t, p1, p2) // all that n2 has sent has come
	n1.director.mu.Lock()
	seq := n1.peers[0].next
	n1.director.mu.Unlock()
	inject(t, n1, &wire.BusBatch{
		Source:   wire.Source{Node: n2.id, Epoch: n2.epoch, Seq: seq},
		Messages: []wire.Message{asks(1, session), digest(5, zone20)},
	})
	require.Equal(t, gone(1).String(), next(t, p2, 1)[0].Body.String())
	require.Equal(t, []int{5}, numbers(next(t, p1, 1)))
}
