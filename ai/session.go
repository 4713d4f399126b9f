package ai

import (
	"context"
	"fmt"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// Session is a client's session, as an AI steers it. Its methods wait until the agent has done it, and so are called in
// handlers. When the session has ended meanwhile they fail with CodeGone.
type Session struct {
	r       *Repository
	channel do.Channel
}

// Session is the session of a channel, as CallerOf tells it.
func (r *Repository) Session(channel do.Channel) Session { return Session{r, channel} }

// Channel is the session's channel.
func (s Session) Channel() do.Channel { return s.channel }

func (s Session) ask(ctx context.Context, body func(c uint32) wire.Body) error {
	_, err := s.r.Request(ctx, s.channel, body)
	return err
}

// SetState moves the session's state; lowering it closes its interests (rule 87).
func (s Session) SetState(ctx context.Context, state wire.SessionState) error {
	return s.ask(ctx, func(c uint32) wire.Body { return &wire.SetState{Context: c, State: state} })
}

// SetClientID binds the session to an account: its identity in calls (rules 91, 92).
func (s Session) SetClientID(ctx context.Context, account do.ID) error {
	return s.ask(ctx, func(c uint32) wire.Body { return &wire.SetClientID{Context: c, Account: account} })
}

// Eject tells the client why, then ends the session (rule 97). It does not wait.
func (s Session) Eject(reason wire.Reason, text string) error {
	return s.r.Send(s.channel, &wire.Eject{Reason: reason, Text: text})
}

// Drop ends the session without a word. It does not wait.
func (s Session) Drop() error { return s.r.Send(s.channel, &wire.Drop{}) }

// AddObject ties an object's life to the session's, both ways (rules 101 to 103).
func (s Session) AddObject(ctx context.Context, id do.ID) error {
	return s.ask(ctx, func(c uint32) wire.Body { return &wire.AddSessionObject{Context: c, DO: id} })
}

// RemoveObject takes AddObject back.
func (s Session) RemoveObject(ctx context.Context, id do.ID) error {
	return s.ask(ctx, func(c uint32) wire.Body { return &wire.RemoveSessionObject{Context: c, DO: id} })
}

// Declare makes an object known to a client that does not see it (rule 89).
func (s Session) Declare(ctx context.Context, id do.ID, class *do.Class) error {
	return s.ask(ctx, func(c uint32) wire.Body { return &wire.DeclareObject{Context: c, DO: id, Class: class.Number()} })
}

// Undeclare takes Declare back.
func (s Session) Undeclare(ctx context.Context, id do.ID) error {
	return s.ask(ctx, func(c uint32) wire.Body { return &wire.UndeclareObject{Context: c, DO: id} })
}

// Grant replaces what this session may set on one object beyond the keywords (rule 90); without fields it takes the
// grant back.
func (s Session) Grant(ctx context.Context, id do.ID, class *do.Class, names ...string) error {
	numbers := make([]fields.Number, 0, len(names))
	for _, n := range names {
		f := class.FieldByName(n)
		if f == nil {
			return fmt.Errorf("ai: grant %s.%s: %w", class, n, do.ErrNoField)
		}
		numbers = append(numbers, f.Number)
	}
	return s.ask(ctx, func(c uint32) wire.Body { return &wire.SetFieldsSendable{Context: c, DO: id, Fields: numbers} })
}

// Interest opens, or alters, an interest from the server's side, past the client's permissions (rule 96). Its handle
// has the high bit set by the agent where it is not.
func (s Session) Interest(ctx context.Context, handle uint16, parent do.ID, zones ...do.Zone) error {
	return s.ask(ctx, func(c uint32) wire.Body {
		return &wire.SessionInterest{Context: c, Handle: handle, Parent: parent, Zones: zones}
	})
}

// Follow opens an interest that follows an object which the session owns, over grids and through edges, as a client's own
// Follow does (rule 164). RemoveInterest closes it.
func (s Session) Follow(ctx context.Context, handle uint16, id do.ID, outer uint8) error {
	return s.ask(ctx, func(c uint32) wire.Body {
		return &wire.SessionFollow{Context: c, Handle: handle, DO: id, Outer: outer}
	})
}

// PermitInterest replaces what this session may open below one parent, beyond what the agent's policy lets all; without
// zones it may open none. What it has open stays (rule 95).
func (s Session) PermitInterest(ctx context.Context, parent do.ID, zones ...do.Zone) error {
	return s.ask(ctx, func(c uint32) wire.Body { return &wire.PermitInterest{Context: c, Parent: parent, Zones: zones} })
}

// PermitAllInterest lets it open any zone below the parent.
func (s Session) PermitAllInterest(ctx context.Context, parent do.ID) error {
	return s.ask(ctx, func(c uint32) wire.Body { return &wire.PermitInterest{Context: c, Parent: parent, All: true} })
}

// RemoveInterest closes one.
func (s Session) RemoveInterest(ctx context.Context, handle uint16) error {
	return s.ask(ctx, func(c uint32) wire.Body { return &wire.RemoveSessionInterest{Context: c, Handle: handle} })
}

// Subscribe makes the session hear a channel.
func (s Session) Subscribe(ctx context.Context, channel do.Channel) error {
	return s.ask(ctx, func(c uint32) wire.Body { return &wire.OpenChannel{Context: c, Channel: channel} })
}

// Unsubscribe takes Subscribe back.
func (s Session) Unsubscribe(ctx context.Context, channel do.Channel) error {
	return s.ask(ctx, func(c uint32) wire.Body { return &wire.CloseChannel{Context: c, Channel: channel} })
}

// PostRemove leaves a message that is routed when the session ends, for any reason. It must be idempotent (rule 11).
func (s Session) PostRemove(ctx context.Context, to do.Channel, body wire.Body) error {
	m := wire.Message{To: []do.Channel{to}, From: s.r.Channel(), Body: body}
	return s.ask(ctx, func(c uint32) wire.Body { return &wire.SessionPostRemove{Context: c, Message: m} })
}

// ClearPostRemoves forgets them.
func (s Session) ClearPostRemoves(ctx context.Context) error {
	return s.ask(ctx, func(c uint32) wire.Body { return &wire.ClearSessionPostRemoves{Context: c} })
}

// Address is the client's address, and the agent's end of it.
func (s Session) Address(ctx context.Context) (remote, local string, err error) {
	b, err := s.r.Request(ctx, s.channel, func(c uint32) wire.Body { return &wire.GetNetworkAddress{Context: c} })
	if err != nil {
		return "", "", err
	}
	if a, ok := b.(*wire.NetworkAddress); ok {
		return a.Remote, a.Local, nil
	}
	return "", "", fmt.Errorf("ai: address of %s: unexpected %s", s.channel, b.Type())
}
