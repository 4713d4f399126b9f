package tavern

import (
	"math"

	"github.com/otpd/otpd/do"
)

// StreetID is the root of the world.
func StreetID() do.ID { return do.WellKnown(1000) }

// Inside is the zone in a tavern.
const Inside do.Zone = 1

// Speed is how fast bots walk, in metres per second: a run, so that even a short demo crosses zones.
const Speed = 12.0

// The street is 200 x 200 m; one sees the cells around one's own.
const (
	cells     = 8
	cell      = 25.0
	firstZone = 2000
)

// Ground is the street's grid of zones.
func Ground() do.Grid {
	return do.Grid{Start: firstZone, Cols: cells, Rows: cells, Cell: cell, Radius: 1, Hysteresis: 2}
}

// Bounds are how far the street goes, from -Bounds to +Bounds on both axes.
const Bounds = cells * cell / 2

// InTavern is the location inside a tavern.
func InTavern(id do.ID) do.Location { return do.Location{Parent: id, Zone: Inside} }

// site is where a tavern stands.
type site struct {
	name string
	zone do.Zone
}

// sites are the taverns, one in each quarter.
func sites() []site {
	at := func(col, row int) do.Zone { return firstZone + do.Zone(row*cells+col) }
	return []site{
		{"The Lost Packet", at(1, 1)},
		{"The Warm Cache", at(6, 1)},
		{"The Third Replica", at(1, 6)},
		{"The Quiet Quorum", at(6, 6)},
	}
}

// door is where the site's tavern is entered: the middle of its cell.
func (s site) door() (x, y float64) { return Ground().Centre(s.zone) }

// nearestSite is the site closest to (x, y).
func nearestSite(x, y float64) site {
	all := sites()
	best, least := all[0], math.Inf(1)
	for _, s := range all {
		sx, sy := s.door()
		if d := math.Hypot(sx-x, sy-y); d < least {
			best, least = s, d
		}
	}
	return best
}

// Price is what an item of the menu costs.
func Price(item string) (gold int64, ok bool) {
	for _, m := range menu() {
		if m.item == item {
			return m.gold, true
		}
	}
	return 0, false
}

// offer is a line of the menu.
type offer struct {
	item string
	gold int64
}

func menu() []offer { return []offer{{"water", 1}, {"beer", 3}, {"stout", 5}, {"mead", 8}} }
