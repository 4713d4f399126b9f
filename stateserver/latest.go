package stateserver

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// latest is the newest serial that the writer of latest fields gave to one.
type latest struct {
	field  fields.Number
	serial uint16
}

// newer is what of a latest set is newer than what the same writer has sent before, nil if nothing is: datagrams
// overtake each other, and come twice. It remembers the serial.
func (o *object) newer(set fields.Map, writer do.Channel, serial uint16) fields.Map {
	e := o.more()
	if e.by != writer {
		e.by, e.writes = writer, e.writes[:0]
	}
	stale := 0
	n := 0
	for it := set.Iter(); it.Next(); n++ {
		if !e.advance(it.Number(), serial) {
			stale++
		}
	}
	switch stale {
	case 0:
		return set
	case n:
		return nil
	}
	return set.Filter(func(f fields.Number) bool { return e.at(f) == serial })
}

// advance remembers the serial of a field if it is newer, in serial arithmetic, and reports whether it was.
func (e *extra) advance(f fields.Number, serial uint16) bool {
	for i := range e.writes {
		if e.writes[i].field == f {
			if int16(serial-e.writes[i].serial) <= 0 {
				return false
			}
			e.writes[i].serial = serial
			return true
		}
	}
	e.writes = append(e.writes, latest{f, serial})
	return true
}

// at is the newest serial of a field that advance has seen.
func (e *extra) at(f fields.Number) uint16 {
	for _, w := range e.writes {
		if w.field == f {
			return w.serial
		}
	}
	return 0
}
