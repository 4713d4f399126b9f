package clientagent

import (
	"fmt"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// What the cluster says about sessions. It may say it to one session, to an account, or to all clients; each
// request has one reply.

// addressees fills targets with the sessions that a message is addressed to, each once.
func (s *State) addressees(to []do.Channel) []*session {
	clear(s.targets)
	s.targets = s.targets[:0]
	s.naming++
	for _, c := range to {
		switch c.Kind {
		case do.KindSession:
			s.target(s.sessions[c.ID])
		case do.KindAccount:
			for _, t := range s.accounts[c.ID] {
				s.target(t)
			}
		case do.KindAllClients:
			for _, t := range s.order {
				s.target(t)
			}
		}
		for _, t := range s.channels[c] {
			s.target(t)
		}
	}
	return s.targets
}

func (s *State) target(t *session) {
	if t != nil && t.named != s.naming {
		t.named = s.naming
		s.targets = append(s.targets, t)
	}
}

// eachSession does f to each addressed session. If there is none, the request fails.
func (s *State) eachSession(m *wire.Message, context uint32, f func(*session)) error {
	all := slices.Clone(s.addressees(m.To))
	if len(all) == 0 {
		s.out.SendTo(m.From, s.self, &wire.Failed{Context: context, Of: m.Body.Type(), Code: wire.CodeGone, Text: "no such session"})
		return fmt.Errorf("clientagent: %s: no such session: %w", m.Body.Type(), errRefused)
	}
	for _, t := range all {
		f(t)
	}
	return nil
}

// each is eachSession for requests that Done answers.
func (s *State) each(m *wire.Message, context uint32, f func(*session)) error {
	if err := s.eachSession(m, context, f); err != nil {
		return err
	}
	if context != 0 {
		s.out.SendTo(m.From, m.To[0], &wire.Done{Context: context, Of: m.Body.Type()})
	}
	return nil
}

// setState moves a session, in any direction; lowering it closes its interests (rule 87).
func (s *State) setState(t *session, state wire.SessionState) {
	if t.state == state {
		return
	}
	lowered := state < t.state
	t.state = state
	if lowered {
		t.lowered = s.now + int64(s.cfg.History)
		s.closeInterests(t)
	}
	s.send(t, &wire.ClientState{State: t.state, Account: t.account})
}

// setClientID binds a session to an account. The session's own channel, from which it sends, stays, so that no answer
// under way is lost (rules 91, 92).
func (s *State) setClientID(t *session, account do.ID) {
	if t.account == account {
		return
	}
	if !t.account.IsZero() && s.leaveAccount(t) {
		s.control(&wire.RemoveChannels{Channels: []do.Channel{do.Account(t.account)}})
	}
	t.account = account
	if !account.IsZero() {
		if s.accounts[account] = append(s.accounts[account], t); len(s.accounts[account]) == 1 {
			s.control(&wire.AddChannels{Channels: []do.Channel{do.Account(account)}})
		}
	}
	s.send(t, &wire.ClientState{State: t.state, Account: t.account})
}

// declare makes an object known to a client that does not see it (rule 89).
func (s *State) declare(m *wire.Message, b *wire.DeclareObject) error {
	if s.class(b.Class) == nil {
		s.out.SendTo(m.From, s.self, &wire.Failed{
			Context: b.Context, Of: m.Body.Type(), DO: b.DO, Code: wire.CodeNoClass, Text: fmt.Sprintf("class %d", b.Class),
		})
		return fmt.Errorf("clientagent: declare %s: no class %d: %w", b.DO, b.Class, errRefused)
	}
	return s.each(m, b.Context, func(t *session) {
		g := s.grip(t, s.track(b.DO, b.Class))
		if g.declared {
			return
		}
		g.declared, g.told = true, true
		s.send(t, &wire.ClientDeclare{Alias: g.o.alias, DO: b.DO, Class: b.Class})
	})
}

// undeclare takes it back. What the client still sends to the object is excused for a while (rule 105).
func (s *State) undeclare(t *session, id do.ID) {
	g := s.gripOf(t, id)
	if g == nil || !g.declared {
		return
	}
	g.declared = false
	s.send(t, &wire.ClientUndeclare{Alias: g.o.alias})
	s.loosen(g, false)
}

// addSessionObject ties an object to the session, both ways (rule 101). The director deletes it should this whole
// agent die.
func (s *State) addSessionObject(t *session, id do.ID) {
	if slices.Contains(t.objects, id) {
		return
	}
	t.objects = append(t.objects, id)
	s.mirrorPostRemoves(t)
}

// removeSessionObject unties it. One that was seen by ownership only is a visible object from now on (rule 103).
func (s *State) removeSessionObject(t *session, id do.ID) {
	i := slices.Index(t.objects, id)
	if i < 0 {
		return
	}
	t.objects = slices.Delete(t.objects, i, i+1)
	s.mirrorPostRemoves(t)
	if g := s.gripOf(t, id); g != nil && g.silent {
		g.silent = false
		s.askEntry(g.o)
	}
}

// mirrorPostRemoves keeps at the director what this agent would do when the session ends.
func (s *State) mirrorPostRemoves(t *session) {
	s.control(&wire.ClearPostRemoves{Key: t.channel})
	for _, id := range t.objects {
		s.control(&wire.AddPostRemove{Key: t.channel, Message: wire.Message{
			To: []do.Channel{do.ObjectChannel(id)}, From: t.channel, Body: &wire.DeleteRAM{DO: id},
		}})
	}
	for _, m := range t.postRemoves {
		s.control(&wire.AddPostRemove{Key: t.channel, Message: m})
	}
}

func (s *State) addPostRemove(t *session, m wire.Message) {
	t.postRemoves = append(t.postRemoves, m)
	s.control(&wire.AddPostRemove{Key: t.channel, Message: m})
}

func (s *State) clearPostRemoves(t *session) {
	t.postRemoves = nil
	s.mirrorPostRemoves(t)
}

// grant is what a client may set on one object beyond the keywords.
type grant []fields.Number

// setSendable replaces a grant; an empty one clears it (rule 90). What it could set until now is excused for a while.
func (s *State) setSendable(t *session, id do.ID, numbers []fields.Number) {
	old := t.grants[id]
	if len(numbers) == 0 {
		delete(t.grants, id)
	} else {
		t.grants[id] = grant(slices.Clone(numbers))
	}
	if slices.ContainsFunc(old, func(n fields.Number) bool { return !slices.Contains(numbers, n) }) {
		s.lose(t, id)
	}
}

func (s *State) openChannel(t *session, c do.Channel) {
	if c.IsZero() || slices.Contains(t.opened, c) {
		return
	}
	t.opened = append(t.opened, c)
	if s.channels[c] = append(s.channels[c], t); len(s.channels[c]) == 1 {
		s.control(&wire.AddChannels{Channels: []do.Channel{c}})
	}
}

func (s *State) closeChannel(t *session, c do.Channel) {
	i := slices.Index(t.opened, c)
	if i < 0 {
		return
	}
	t.opened = slices.Delete(t.opened, i, i+1)
	if s.leaveChannel(t, c) {
		s.control(&wire.RemoveChannels{Channels: []do.Channel{c}})
	}
}

func (s *State) networkAddress(m *wire.Message, b *wire.GetNetworkAddress) {
	for _, t := range s.addressees(m.To) {
		s.out.SendTo(m.From, t.channel, &wire.NetworkAddress{Context: b.Context, Remote: t.remote, Local: t.local})
		return
	}
	s.out.SendTo(m.From, s.self, &wire.Failed{Context: b.Context, Of: m.Body.Type(), Code: wire.CodeGone, Text: "no such session"})
}
