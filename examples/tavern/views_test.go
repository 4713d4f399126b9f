package tavern

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/client"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/stateserver"
)

// differences tells where a bot's view is not the truth for its interests: missing, extra, other values.
func differences(v View, truth map[do.ID]stateserver.Scanned) (diffs []string) {
	covered := map[do.Location]bool{}
	for _, i := range v.Interests {
		for _, z := range i.Zones {
			covered[do.Location{Parent: i.Parent, Zone: z}] = true
		}
	}
	held := map[do.ID]client.ObjectView{}
	for _, o := range v.Objects {
		if o.Visible || o.Owned {
			held[o.ID] = o
		}
	}
	for id, o := range truth {
		sees, owns := covered[o.Location], o.Owner == v.Session.Channel()
		h, ok := held[id]
		delete(held, id)
		switch {
		case (sees || owns) != ok:
			diffs = append(diffs, fmt.Sprintf("%s %s at %s: in view %v", o.Class, id, o.Location, ok))
		case !ok:
		case h.Location != o.Location || h.Owned != owns || h.Pending || h.Visible != (sees && !owns):
			// What a bot owns is a session object: it does not enter a second time as a visible one (rule 103).
			diffs = append(diffs, fmt.Sprintf("%s %s at %s: seen %+v", o.Class, id, o.Location, h))
		default:
			diffs = append(diffs, fieldDifferences(o, h, owns)...)
		}
	}
	for id := range held {
		diffs = append(diffs, fmt.Sprintf("%s is not in the world", id))
	}
	slices.Sort(diffs)
	return diffs
}

func fieldDifferences(o stateserver.Scanned, h client.ObjectView, owns bool) (diffs []string) {
	for _, f := range o.Class.Stored() {
		want, _ := o.Fields.Get(f.Number)
		if !f.Keywords.Any(fields.Broadcast|fields.ClRecv) && !(owns && f.Keywords.Has(fields.OwnRecv)) {
			want = nil
		}
		var got []byte
		if i := slices.IndexFunc(h.Fields, func(p fields.Pair) bool { return p.Number == f.Number }); i >= 0 {
			got = h.Fields[i].Value
		}
		if string(want) != string(got) {
			diffs = append(diffs, fmt.Sprintf("%s %s: % x, not % x", f, o.ID, got, want))
		}
	}
	return diffs
}

func TestViewsAreTheTruthWhenTheWorldIsQuiet(t *testing.T) {
	c := newCluster(t)
	var bots []*Bot
	for i := range 24 {
		bots = append(bots, c.bot(i, func(cfg *BotConfig) { cfg.Stay, cfg.Away = 3*time.Second, 100*time.Millisecond }))
	}
	play(t, bots, func() bool {
		var deliveries, moves uint64
		for _, b := range bots {
			deliveries += b.Stats.Deliveries()
			moves += b.Stats.ZoneChanges.Load()
		}
		return deliveries > 3000 && moves > 80 && all(bots, func(s *Stats) bool { return s.Relogins.Load() > 0 })
	})
	var diffs []string
	quiet := func() bool {
		truth := c.Truth()
		diffs = diffs[:0]
		for _, b := range bots {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			v, err := b.View(ctx)
			cancel()
			require.NoError(t, err)
			for _, d := range differences(v, truth) {
				diffs = append(diffs, b.Name()+": "+d)
			}
		}
		return len(diffs) == 0
	}
	// A lost datagram is repeated within 200 ms, a lost message found by the next digest.
	for end := time.Now().Add(time.Minute); !quiet() && time.Now().Before(end); {
	}
	require.Empty(t, diffs[:min(len(diffs), 10)])
	inAvatars := 0
	for _, o := range c.Truth() {
		if o.Class.Name() == "Avatar" {
			inAvatars++
		}
	}
	require.Equal(t, len(bots), inAvatars, "those who left are gone")
}
