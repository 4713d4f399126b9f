package tavern

import (
	"context"
	"slices"
	"time"

	"github.com/otpd/otpd/client"
	"github.com/otpd/otpd/do"
)

// How often bots do what they do, in seconds between two times.
const (
	sayEvery   = 5.0
	buyEvery   = 4.0
	drinkEvery = 2 // targets, of which one is a tavern
)

// step is what a bot does at one moment: walk, and now and then something else.
func (v *visit) step(period time.Duration, due time.Time) error {
	hz := float64(v.b.cfg.Hz)
	if v.dice.chance(sayEvery * hz) {
		v.b.Stats.Says.Add(1)
		if err := v.avatar.Say.Send(words()[v.dice.rng.IntN(len(words()))]); err != nil {
			return err
		}
	}
	if v.dice.chance(buyEvery*hz) && v.calls == 0 {
		v.buy()
	}
	if v.inside != nil {
		return v.sit(period, due)
	}
	return v.onStreet(period, due)
}

func words() []string {
	return []string{"cheers", "lovely weather", "another one", "have you seen the keg?", "to the street!"}
}

// onStreet walks on, to any place or to a tavern.
func (v *visit) onStreet(period time.Duration, due time.Time) error {
	if v.walk.step(period) {
		if v.drink != nil {
			if entered, err := v.goIn(due); entered || err != nil {
				return err
			}
			v.drink = nil
		}
		if v.dice.chance(drinkEvery) {
			s := nearestSite(v.walk.x, v.walk.y)
			v.drink = &s
			v.walk.head(s.door())
		} else {
			v.walk.wander(v.walk.x, v.walk.y, 60)
		}
	}
	zone, ok := Ground().Next(v.zone, v.walk.x, v.walk.y)
	if !ok || zone == v.zone {
		return v.tell(due)
	}
	v.zone = zone
	v.street.see(StreetID(), Ground().Around(nil, zone))
	return v.moveTo(do.Location{Parent: StreetID(), Zone: zone}, due)
}

// tell sends where the avatar is.
func (v *visit) tell(due time.Time) error {
	v.place(due)
	return v.avatar.Save()
}

// moveTo sends where the avatar is together with the zone that this is in, as one bundle (rule 169).
func (v *visit) moveTo(to do.Location, due time.Time) error {
	v.place(due)
	v.b.Stats.ZoneChanges.Add(1)
	return v.avatar.Move(to)
}

func (v *visit) place(due time.Time) {
	v.b.Stats.Updates.Add(1)
	v.avatar.Pos = Vec2{X: float32(v.walk.x), Y: float32(v.walk.y), At: due.UnixMicro()}
}

// goIn enters the tavern at whose door the bot stands, if it sees one.
func (v *visit) goIn(due time.Time) (entered bool, err error) {
	for _, t := range client.FindAll[Tavern](v.r) {
		if t.Name != v.drink.name {
			continue
		}
		v.inside, v.drink = t, nil
		v.out = due.Add(v.dice.between(time.Second, 3*time.Second))
		v.b.Stats.Houses.Add(1)
		v.house.see(t.ID(), []do.Zone{Inside})
		v.walk.x, v.walk.y = 0, 0
		v.walk.wander(0, 0, 4)
		return true, v.moveTo(InTavern(t.ID()), due)
	}
	return false, nil
}

// sit walks about in the tavern until it is time to leave by the door.
func (v *visit) sit(period time.Duration, due time.Time) error {
	if due.Before(v.out) && !v.inside.ID().IsZero() {
		if v.walk.step(period / 4) {
			v.walk.wander(0, 0, 4)
		}
		return v.tell(due)
	}
	x, y := float64(v.inside.Pos.X), float64(v.inside.Pos.Y)
	v.inside = nil
	v.house.see(do.ID{}, nil)
	v.walk.x, v.walk.y = x, y
	v.walk.wander(x, y, 40)
	return v.moveTo(do.Location{Parent: StreetID(), Zone: v.zone}, due)
}

// buy buys a drink, if there is gold for it, while the walking goes on.
func (v *visit) buy() {
	m := menu()
	what := m[v.dice.rng.IntN(len(m))]
	if v.avatar.Gold < what.gold {
		return
	}
	v.calls++
	err := v.r.Do(func(ctx context.Context) error {
		defer func() { v.calls-- }()
		r, err := v.avatar.Buy.Call(ctx, Order{Item: what.item})
		v.count(err)
		if err == nil {
			v.b.Stats.Buys.Add(1)
			v.b.hasGold(r.GoldLeft, false)
		}
		return nil
	})
	if err != nil {
		v.calls--
	}
}

// follow is an interest that goes where the bot goes. One operation is in flight at a time; what is wished meanwhile
// is asked for when it is complete.
type follow struct {
	v        *visit
	in       client.Interest // nil: there is none
	inFlight bool
	removing bool
	parent   do.ID // wished; zero: nothing
	zones    []do.Zone
	asked    do.ID // as the last operation said
	covered  []do.Zone
}

// see wishes to see some zones below a parent; without a parent, nothing.
func (f *follow) see(parent do.ID, zones []do.Zone) {
	f.parent, f.zones = parent, zones
	f.check()
}

// settled reports whether what is seen is what is wished.
func (f *follow) settled() bool {
	return !f.inFlight && f.asked == f.parent && slices.Equal(f.covered, f.zones)
}

// check takes the end of an operation, and begins the next one if there is something to wish for.
func (f *follow) check() {
	if f.inFlight {
		done, err := f.in.Done()
		if !done {
			return
		}
		f.ended(err)
	}
	if f.asked == f.parent && slices.Equal(f.covered, f.zones) {
		return
	}
	if err := f.begin(); err != nil {
		f.ended(err)
	}
}

func (f *follow) begin() (err error) {
	f.v.b.Stats.InterestsOpened.Add(1)
	f.inFlight, f.asked, f.covered = true, f.parent, f.zones
	switch {
	case f.parent.IsZero():
		f.removing = true
		return f.in.Remove()
	case f.in == nil:
		f.in, err = f.v.r.AddInterest(f.parent, f.zones...)
		return err
	}
	return f.in.Alter(f.parent, f.zones...)
}

func (f *follow) ended(err error) {
	f.inFlight = false
	if f.removing {
		f.removing, f.in = false, nil
	}
	if err == nil {
		f.v.b.Stats.InterestsDone.Add(1)
		return
	}
	f.v.b.Stats.InterestsFailed.Add(1)
	f.v.b.cfg.Log.Warn("bot: interest", "name", f.v.b.cfg.Name, "parent", f.asked, "err", err)
}
