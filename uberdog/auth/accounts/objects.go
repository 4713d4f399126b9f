package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/uberdog/auth"
	"github.com/otpd/otpd/wire"
)

// Objects says what an account has in the world while somebody is logged in to it: objects of the database by their
// ids, and where each of them comes to life. It runs as a handler of the login: it may wait, and make the rows of an
// account that has none yet. Its error refuses the login.
//
//	func(ctx context.Context, who auth.Identity) ([]ai.Place, error) {
//		id, err := avatarOf(ctx, repo, who.Account)
//		return []ai.Place{{ID: id, At: home}}, err
//	}
//
// They are activated before the login is answered, this process being their AI and the session their owner, in the
// order of the list; they go when the session ends, for whatever reason: OnDelete runs, and what it and others changed of
// the db fields is written. A login that comes meanwhile waits for that, up to Config.ObjectsTime, also if another
// process ran them.
type Objects func(ctx context.Context, who auth.Identity) ([]ai.Place, error)

// ErrObjects is wrapped by the error about a place that Objects may not return.
var ErrObjects = errors.New("an account's object has an id, this process as its AI and the session as its owner")

// How often a login looks whether an object of the session before has gone.
const (
	firstLook = 10 * time.Millisecond
	lastLook  = 200 * time.Millisecond
)

// embody brings what the account has to life for a session, all of it or nothing.
func (s *service) embody(ctx context.Context, a *account, session do.Channel) ([]ai.Place, error) {
	if s.cfg.Objects == nil {
		return nil, nil
	}
	places, err := s.cfg.Objects(ctx, a.identity())
	if err != nil {
		return nil, fmt.Errorf("accounts: objects of %s: %w", a.name, err)
	}
	for i, p := range places {
		if p.ID.IsZero() || !p.AI.IsZero() || !p.Owner.IsZero() || p.NoAI {
			return nil, fmt.Errorf("accounts: objects of %s: %w: number %d", a.name, ErrObjects, i)
		}
	}
	end := s.now().Add(s.cfg.ObjectsTime)
	for i, p := range places {
		p.Owner = session
		if err := s.bring(ctx, session, p, end); err != nil {
			s.dismiss(ctx, session, places[:i])
			return nil, fmt.Errorf("accounts: object %s of %s: %w", p.ID, a.name, err)
		}
		s.counts.embodied.Add(1)
	}
	return places, nil
}

// bring activates one object, and ties it to the session. One that is still there belongs to a session that is ending.
func (s *service) bring(ctx context.Context, session do.Channel, p ai.Place, end time.Time) error {
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		err := s.gate.activate(ctx, p)
		if err == nil {
			break
		}
		if !errors.Is(err, wire.CodeActive) {
			if unanswered(err) {
				s.dismiss(ctx, session, []ai.Place{p})
			}
			return err
		}
		if !s.now().Before(end) {
			return refused(wire.CodeExists, "what this account had in the world is still there")
		}
		if err := s.sleep(ctx, pause); err != nil {
			return err
		}
	}
	err := s.gate.tie(ctx, session, p.ID)
	if err != nil {
		s.dismiss(ctx, session, []ai.Place{p})
	}
	return err
}

// unanswered reports whether an error leaves open whether an object was brought to life.
func unanswered(err error) bool {
	return errors.Is(err, ai.ErrUnanswered) || errors.Is(err, wire.CodeUnknown) || errors.Is(err, wire.CodeLinkLost) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// dismiss takes back what was brought for a login that fails; the session goes on. The login's time may be over.
func (s *service) dismiss(ctx context.Context, session do.Channel, places []ai.Place) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*agentTime)
	defer cancel()
	for _, p := range places {
		if err := s.gate.dismiss(ctx, session, p.ID); err != nil {
			s.log.Warn("accounts: unload what a login had brought", "do", p.ID, "session", session, "err", err)
		}
	}
}

func (s *sessions) activate(ctx context.Context, p ai.Place) error {
	_, err := s.r.Activate(ctx, p.ID, p)
	return err
}

// tie makes the session's agent delete the object when the session ends.
func (s *sessions) tie(ctx context.Context, session do.Channel, id do.ID) error {
	ctx, cancel := context.WithTimeout(ctx, agentTime)
	defer cancel()
	if err := s.r.Session(session).AddObject(ctx, id); err != nil {
		return err
	}
	if here, err := s.r.IsActive(ctx, id); err != nil || here {
		return err
	}
	return refused(wire.CodeGone, "it went at once")
}

// dismiss unties the object first: the loss of one that is tied ends the session.
func (s *sessions) dismiss(ctx context.Context, session do.Channel, id do.ID) error {
	limited, cancel := context.WithTimeout(ctx, agentTime)
	defer cancel()
	late := s.r.Session(session).RemoveObject(limited, id)
	if err := s.r.Unload(ctx, id); err != nil && !errors.Is(err, wire.CodeNoObject) {
		return errors.Join(err, late)
	}
	return nil
}
