package tavern

import (
	"context"
	"time"

	"github.com/otpd/otpd/client"
	"github.com/otpd/otpd/do"
)

// How often bots do what they do, in seconds between two times.
const (
	sayEvery   = 5.0
	buyEvery   = 4.0
	tradeEvery = 6.0
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
	if v.dice.chance(tradeEvery*hz) && v.calls == 0 {
		v.trade()
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
		if v.drink != nil && v.avatar.Location().Zone == v.drink.zone {
			if entered, err := v.goIn(due); entered || err != nil {
				return err
			}
			v.drink = nil
		}
		switch {
		case v.drink != nil: // at the door, and not yet in its cell: this step moves it there
		case v.dice.chance(drinkEvery):
			s := nearestSite(v.walk.x, v.walk.y)
			v.drink = &s
			v.walk.head(s.door())
		default:
			v.walk.wander(v.walk.x, v.walk.y, 60)
		}
	}
	return v.tell(due)
}

// tell sends where the avatar is, and moves it to another cell of the street when it has come there.
func (v *visit) tell(due time.Time) error {
	v.place(due)
	before := v.avatar.Location()
	err := v.r.Walk(&v.avatar.Object)
	if v.avatar.Location() != before {
		v.b.Stats.ZoneChanges.Add(1)
	}
	return err
}

// moveTo goes through a door: where the avatar is and the zone that this is in leave as one bundle (rule 169).
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
		v.inside, v.door, v.drink = t, v.drink.zone, nil
		v.out = due.Add(v.dice.between(time.Second, 3*time.Second))
		v.b.Stats.Houses.Add(1)
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
	v.walk.x, v.walk.y = x, y
	v.walk.wander(x, y, 40)
	return v.moveTo(do.Location{Parent: StreetID(), Zone: v.door}, due)
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
			v.b.spent.Add(r.Paid)
		}
		return nil
	})
	if err != nil {
		v.calls--
	}
}

// price posts what the bot wants for a mug.
func (v *visit) price() error {
	v.avatar.Asks = int32(1 + v.dice.rng.IntN(20))
	return v.avatar.Save()
}

// trade buys a mug of somebody in view who sells, while the walking goes on. That it is sold by then, or the seller gone,
// is as it goes.
func (v *visit) trade() {
	var sellers []*AvatarCL
	for _, a := range client.FindAll[AvatarCL](v.r) {
		if a != v.avatar && a.Asks > 0 && int64(a.Asks) <= v.avatar.Gold {
			sellers = append(sellers, a)
		}
	}
	if len(sellers) == 0 {
		return
	}
	seller := sellers[v.dice.rng.IntN(len(sellers))]
	offer := Offer{Seller: seller.ID(), Mugs: 1, Price: seller.Asks}
	v.calls++
	err := v.r.Do(func(ctx context.Context) error {
		defer func() { v.calls-- }()
		_, err := v.avatar.Trade.Call(ctx, offer)
		v.count(err, client.CodeNoObject, client.CodeConflict)
		if err == nil {
			v.b.Stats.Trades.Add(1)
		}
		return nil
	})
	if err != nil {
		v.calls--
	}
}
