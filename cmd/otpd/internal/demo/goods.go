package demo

import (
	"fmt"

	"github.com/otpd/otpd/cmd/otpd/internal/daemon"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/examples/tavern"
	"github.com/otpd/otpd/fields"
)

// goods are what avatars have together: what is traded among them stays.
type goods struct{ gold, mugs int64 }

// goodsOf are those of all avatars in the States.
func goodsOf(truth []daemon.Object, schema *do.Schema) (g goods, err error) {
	class := schema.Class("Avatar")
	for _, o := range truth {
		if o.Class != class.Name() {
			continue
		}
		for name, sum := range map[string]*int64{"Gold": &g.gold, "Mugs": &g.mugs} {
			value, ok := fields.Map(o.Fields).Get(class.FieldByName(name).Number)
			n, _, err := fields.ReadInt(value)
			if !ok || err != nil {
				return goods{}, fmt.Errorf("avatar %s: %s: %w", o.ID, name, err)
			}
			*sum += n
		}
	}
	return g, nil
}

// owedTo are the goods that the bots came with, without what they drank.
func owedTo(bots []*tavern.Bot) (g goods) {
	for _, b := range bots {
		gold, came := b.FirstGold()
		mugs, embodied := b.FirstMugs()
		if came && embodied {
			g.gold += gold - b.Spent()
			g.mugs += mugs
		}
	}
	return g
}
