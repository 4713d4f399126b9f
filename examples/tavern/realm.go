package tavern

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/uberdog"
)

// Errors of the Realm.
var (
	ErrNoLogin  = errors.New("this needs a login")
	ErrBuilding = errors.New("the street is still being built")
	ErrNotHere  = errors.New("your avatar is not on the street")
)

// RealmUD gives those who are logged in a body.
type RealmUD struct {
	Realm
	world *World
}

// Times of entering.
const (
	// goingTime is how long the avatar of a session that just ended may take to go.
	goingTime = 5 * time.Second
	// tieTime is how long an agent has to tie the avatar to the session. One whose client has gone never answers.
	tieTime = 3 * time.Second
)

// OnEnter brings the account's avatar to the street, a new one the first time. The session owns it, and it goes when the
// session ends.
func (u *RealmUD) OnEnter(ctx context.Context, e Entrance) (Arrival, error) {
	who := uberdog.CallerOf(ctx)
	switch {
	case who.Account.IsZero():
		return Arrival{}, ErrNoLogin
	case !u.world.ready():
		return Arrival{}, ErrBuilding
	}
	id, err := u.world.avatarOf(ctx, who.Account, e.Name)
	if err != nil {
		return Arrival{}, err
	}
	return u.world.enter(ctx, id, who)
}

// OnLeave takes the avatar off the street; its row stays. It is untied first: the session goes on.
func (u *RealmUD) OnLeave(ctx context.Context, _ Departure) (Arrival, error) {
	who := uberdog.CallerOf(ctx)
	for _, a := range ai.FindAll[AvatarAI](u.world.repo) {
		if a.Account != who.Account || who.Account.IsZero() {
			continue
		}
		if err := u.world.repo.Session(who.Channel).RemoveObject(ctx, a.ID()); err != nil {
			return Arrival{}, err
		}
		return arrival(a), a.Delete()
	}
	return Arrival{}, ErrNotHere
}

// avatarOf is the row of the account's avatar, made if there is none. Of two that are made at once the database keeps
// one: Account is unique.
func (w *World) avatarOf(ctx context.Context, account do.ID, name string) (do.ID, error) {
	for {
		rows, err := ai.Query[Avatar](ctx, w.repo, "Account", account, 1)
		if err != nil {
			return do.ID{}, fmt.Errorf("tavern: find the avatar: %w", err)
		}
		if len(rows) > 0 {
			return rows[0].ID, nil
		}
		a := do.New[Avatar]()
		a.Name, a.Account = name, account
		id, err := w.repo.CreateStored(ctx, a, ai.Place{})
		if err == nil {
			return id, nil
		}
		if !errors.Is(err, ai.CodeUnique) {
			return do.ID{}, fmt.Errorf("tavern: make an avatar: %w", err)
		}
	}
}

// enter brings an avatar to life as the session's own, and ties it to the session.
func (w *World) enter(ctx context.Context, id do.ID, who uberdog.Caller) (Arrival, error) {
	x, y, zone := spawn(who.Account)
	a, err := w.activate(ctx, id, ai.Place{At: do.Location{Parent: StreetID(), Zone: zone}, Owner: who.Channel})
	if err != nil {
		return Arrival{}, fmt.Errorf("tavern: enter: %w", err)
	}
	a.world = w
	a.Pos = Vec2{X: float32(x), Y: float32(y), At: w.repo.Now().UnixMicro()}
	if err := a.Save(); err != nil {
		return Arrival{}, err
	}
	tie, cancel := context.WithTimeout(ctx, tieTime)
	defer cancel()
	if err := w.repo.Session(who.Channel).AddObject(tie, id); err != nil {
		// Nobody is there to play it any more.
		if a := ai.Find[AvatarAI](w.repo, id); a != nil {
			err = errors.Join(err, a.Delete())
		}
		return Arrival{}, fmt.Errorf("tavern: enter: %w", err)
	}
	return arrival(a), nil
}

// activate waits for the avatar of a session that just ended to go.
func (w *World) activate(ctx context.Context, id do.ID, p ai.Place) (*AvatarAI, error) {
	for end := w.repo.Now().Add(goingTime); ; {
		a, err := ai.Activate[AvatarAI](ctx, w.repo, id, p)
		if errors.Is(err, ai.ErrUnanswered) {
			// It may come all the same, and nobody would be there to play it.
			limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), tieTime)
			defer cancel()
			return nil, errors.Join(err, w.repo.Unload(limited, id))
		}
		if !errors.Is(err, ai.CodeActive) || w.repo.Now().After(end) {
			return a, err
		}
		if a := ai.Find[AvatarAI](w.repo, id); a != nil && a.Owner() == p.Owner {
			return nil, &ai.Error{Code: ai.CodeExists, Text: "your avatar is on the street already"}
		}
		if err := w.repo.Sleep(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func arrival(a *AvatarAI) Arrival {
	return Arrival{Avatar: a.ID(), Parent: a.Location().Parent, Zone: a.Location().Zone, Pos: a.Pos, Gold: a.Gold}
}

// spawn is where an account's avatar appears: always in the same cell, all over the street.
func spawn(account do.ID) (x, y float64, z do.Zone) {
	// The last bytes of an id are random.
	z = firstZone + do.Zone(binary.BigEndian.Uint32(account[12:])%(cells*cells))
	x, y = Ground().Centre(z)
	return x, y, z
}
