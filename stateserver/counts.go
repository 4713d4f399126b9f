package stateserver

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// getClass says of which class an object is, also when only the database has it.
func (s *State) getClass(m *wire.Message, b *wire.GetClass, out *wire.Outbox) error {
	r := requestOf(m)
	o := s.objects[b.DO]
	if o == nil {
		return s.askDormant(m, r, out)
	}
	out.SendTo(m.From, o.channel(), &wire.GetClassResp{Context: b.Context, DO: b.DO, Class: o.class.number})
	return nil
}

// getZonesCount counts the children in some zones, each zone once. To count makes no record of a zone (rule 38).
func (s *State) getZonesCount(m *wire.Message, b *wire.GetZonesCount, out *wire.Outbox) error {
	r := requestOf(m)
	o := s.objects[b.Parent]
	switch {
	case o == nil:
		return s.fail(r, wire.CodeNoParent, "", out)
	case len(b.Zones) == 0:
		return s.fail(r, wire.CodeMalformed, "no zones", out)
	}
	n := 0
	for _, p := range s.placesIn(b.Parent, b.Zones) {
		n += len(p.members) + len(p.away)
	}
	out.SendTo(m.From, o.channel(), &wire.GetZonesCountResp{Context: b.Context, Parent: b.Parent, Count: uint32(n)})
	return nil
}

// getChildCount counts the children in all zones.
func (s *State) getChildCount(m *wire.Message, b *wire.GetChildCount, out *wire.Outbox) error {
	o := s.objects[b.DO]
	if o == nil {
		return s.fail(requestOf(m), wire.CodeNoObject, "", out)
	}
	n := 0
	if f := s.families[b.DO]; f != nil {
		n = f.members + f.away
	}
	out.SendTo(m.From, o.channel(), &wire.GetChildCountResp{Context: b.Context, DO: b.DO, Count: uint32(n)})
	return nil
}

// getActiveZones lists the zones that have a child (rule 37).
func (s *State) getActiveZones(m *wire.Message, b *wire.GetActiveZones, out *wire.Outbox) error {
	o := s.objects[b.DO]
	if o == nil {
		return s.fail(requestOf(m), wire.CodeNoObject, "", out)
	}
	var zones []do.Zone
	if f := s.families[b.DO]; f != nil {
		for _, p := range f.byZone() {
			if len(p.members)+len(p.away) > 0 {
				zones = append(zones, p.loc.Zone)
			}
		}
	}
	out.SendTo(m.From, o.channel(), &wire.GetActiveZonesResp{Context: b.Context, DO: b.DO, Zones: zones})
	return nil
}

// placesIn are the places below a parent that are in some zones, each once and ascending.
func (s *State) placesIn(parent do.ID, zones []do.Zone) []*place {
	sorted := slices.Clone(zones)
	slices.Sort(sorted)
	var list []*place
	for _, z := range slices.Compact(sorted) {
		if p := s.places[do.Location{Parent: parent, Zone: z}]; p != nil {
			list = append(list, p)
		}
	}
	return list
}

// deleteZones deletes what a parent has in some zones, in the order of the zones and then of rule 109. Sent to the
// parent it is an order; on the children channel of a parent in another State it means die (rules 75, 76).
func (s *State) deleteZones(m *wire.Message, b *wire.DeleteZones, out *wire.Outbox) error {
	if !s.mine(b.Parent) {
		for _, p := range s.placesIn(b.Parent, b.Zones) {
			s.removeMembers(p, m.From, false, out)
		}
		return nil
	}
	r := requestOf(m)
	o := s.objects[b.Parent]
	switch {
	case o == nil:
		return s.fail(r, wire.CodeNoParent, "", out)
	case len(b.Zones) == 0:
		return s.fail(r, wire.CodeMalformed, "no zones", out)
	}
	places := s.placesIn(b.Parent, b.Zones)
	if f := s.families[b.Parent]; f != nil && f.away > 0 {
		// Also for zones where nobody is listed: one who is on the way there tells the parent when it dies.
		out.SendTo(do.Children(b.Parent), m.From, &wire.DeleteZones{Parent: b.Parent, Zones: b.Zones})
	}
	for _, p := range places {
		for len(p.away) > 0 {
			s.unlist(p.away[len(p.away)-1])
		}
		s.removeMembers(p, m.From, true, out)
	}
	s.done(r, o, out)
	return nil
}

// removeMembers deletes the children of this State in a place. One that the parent does not have in its list yet tells
// it, since it would be listed after its death.
func (s *State) removeMembers(p *place, from do.Channel, ours bool, out *wire.Outbox) {
	for _, c := range slices.Clone(p.ordered()) {
		if s.objects[c.id] == c {
			s.remove(c, from, removal{tellParent: !ours && !c.entered}, out)
		}
	}
}
