package sim

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// heardOf is where things are as one agent last heard it. What a DONE says holds by that at least.
type heardOf struct {
	w     *world
	stays map[do.ID]heardAt // only looked up
}

type heardAt struct {
	version do.Version
	at      do.Location
}

// observe takes in what reaches the agent.
func (h *heardOf) observe(m wire.Message) {
	switch b := m.Body.(type) {
	case *wire.EnterLocation:
		h.note(b.Entry.DO, b.Entry.Version, b.Entry.Location)
	case *wire.EnterOwner:
		h.note(b.Entry.DO, b.Entry.Version, b.Entry.Location)
	case *wire.ChangingLocation:
		h.note(b.DO, b.Version, b.New)
	case *wire.Deleted:
		h.note(b.DO, b.Version, do.Location{})
	case *wire.ZonesObjects:
		h.entries(b.Entries)
	case *wire.ZoneEntries:
		h.entries(b.Entries)
		for _, l := range b.Gone {
			if l.Version.IsZero() { // there is no such object
				h.stays[l.DO] = heardAt{version: h.stays[l.DO].version}
			}
		}
	}
}

func (h *heardOf) entries(list []wire.Entry) {
	for i := range list {
		h.note(list[i].DO, list[i].Version, list[i].Location)
	}
}

func (h *heardOf) note(id do.ID, v do.Version, at do.Location) {
	if v.Compare(h.stays[id].version) > 0 {
		h.stays[id] = heardAt{v, at}
	}
}

// where and land make it a scene, with lands that nobody is still told of.
func (h *heardOf) where(id do.ID) do.Location { return h.stays[id].at }

func (h *heardOf) land(parent do.ID) land {
	s := steady{c: &h.w.told}
	if l := s.land(parent); s.moved < h.w.now-arriving {
		return l
	}
	return land{}
}
