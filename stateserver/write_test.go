package stateserver

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// disk is a database of one row that is slow, goes away, and loses answers.
type disk struct {
	row    uint64
	fields fields.Map
	asked  []*wire.DBSet
}

// do does the oldest write, if its row version is right, and returns the answer.
func (d *disk) do() wire.Body {
	set := d.asked[0]
	d.asked = d.asked[1:]
	if set.Row != 0 && set.Row != d.row {
		return &wire.Failed{Context: set.Context, Code: wire.CodeConflict}
	}
	d.row++
	d.fields = fields.Merge(d.fields, set.Fields)
	for _, n := range set.Delete {
		d.fields = d.fields.Without(n)
	}
	return &wire.Done{Context: set.Context, Row: d.row}
}

// TestWritesArrive sets fields of a database object while the database does everything that a database may do: in the
// end it has what the memory has, and who waited for the disk was answered once, not before the value was there.
func TestWritesArrive(t *testing.T) {
	schema := readSchema(t, "testdata/world.dc")
	avatar := schema.Class("Avatar")
	hp, level := avatar.FieldByName("HP"), avatar.FieldByName("Level")
	rapid.Check(t, func(t *rapid.T) {
		s, err := New(Config{Instance: do.WellKnown(1), Partitions: []do.Partition{1}, Epoch: 1, Schema: schema})
		require.NoError(t, err)
		s.contexts = math.MaxUint32 - rapid.Uint32Range(0, 8).Draw(t, "contexts left") // the numbers begin anew on the way
		id := do.NewID(1, 1, 1)
		d := &disk{row: 3, fields: fieldsOf(avatar.FieldByName("Name"), `"Flippy"`)}
		now := time.Duration(0)
		durable := make(map[uint32]int64) // the value that each must find on the disk, by context
		asked, answered := 0, 0
		var give func(body wire.Body)
		give = func(body wire.Body) {
			var out wire.Outbox
			_ = s.Step(wire.Message{To: []do.Channel{s.Channel()}, From: tester, Body: body}, &out)
			for _, m := range out.Messages {
				switch b := m.Body.(type) {
				case *wire.DBGet:
					give(&wire.DBObject{Context: b.Context, DO: id, Class: avatar.Number(), Row: d.row, Fields: d.fields})
				case *wire.DBSet:
					d.asked = append(d.asked, b)
				case *wire.Failed:
					// Only a commit that had not begun, while the disk is known to take none.
					if v, ok := durable[b.Context]; !ok || b.Code != wire.CodeDiskFull {
						t.Fatalf("%v", b)
					} else if now, _ := b.Fields.Get(hp.Number); bytes.Equal(now, fields.AppendInt(nil, v)) {
						t.Fatalf("refused and done: %v", b)
					}
					delete(durable, b.Context)
					asked--
				case *wire.Done:
					if v, ok := durable[b.Context]; ok && m.To[0] == tester {
						delete(durable, b.Context)
						answered++
						got, _ := d.fields.Get(hp.Number)
						on, _, err := fields.ReadInt(got)
						require.NoError(t, err)
						require.GreaterOrEqual(t, on, v, "it is on the disk, or a later one is")
					}
				}
			}
		}
		tick := func(d time.Duration) {
			now += d
			give(&wire.Tick{Unix: int64(now)})
		}
		tick(time.Second)
		give(&wire.Activate{Context: 1, DO: id, Class: wire.AnyClass})

		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 7).Draw(t, "step") {
			case 0, 1:
				v := int64(i) // values grow
				b := &wire.SetFields{Context: uint32(i + 2), DO: id, Fields: fields.MapOf(fields.Pair{Number: hp.Number, Value: fields.AppendInt(nil, v)})}
				if b.Durable = rapid.Bool().Draw(t, "durable"); b.Durable {
					durable[b.Context] = v
					asked++
				}
				give(b)
			case 2:
				give(&wire.SetFields{DO: id, Fields: fieldsOf(level, "7")})
			case 3:
				give(&wire.DeleteFields{DO: id, Fields: []fields.Number{level.Number}})
			case 4:
				tick(10 * time.Millisecond)
			case 5:
				tick(6 * time.Second) // an answer that did not come is not awaited any more
			default:
				d.play(t, give)
			}
		}
		for range 20 {
			tick(time.Second)
			for len(d.asked) > 0 {
				give(d.do())
			}
		}
		require.True(t, s.Idle())
		require.Empty(t, durable)
		require.Equal(t, asked, answered)
		s.Scan(func(o Scanned) {
			for _, f := range []*do.Field{hp, level} {
				want, kept := o.Fields.Get(f.Number)
				got, written := d.fields.Get(f.Number)
				if f == hp && !written {
					got, written = f.Default, true // never set
				}
				require.Equal(t, kept, written, f.Name)
				if kept {
					require.Equal(t, want, got, f.Name)
				}
			}
		})
	})
}

// play is one of the things that may become of the oldest write.
func (d *disk) play(t *rapid.T, give func(wire.Body)) {
	if len(d.asked) == 0 {
		return
	}
	switch rapid.IntRange(0, 4).Draw(t, "disk") {
	case 0: // away, or full
		code := rapid.SampledFrom([]wire.Code{wire.CodeAway, wire.CodeDiskFull}).Draw(t, "code")
		give(&wire.Failed{Context: d.asked[0].Context, Code: code})
		d.asked = d.asked[1:]
	case 1: // done, and the answer lost
		d.do()
	case 2: // lost before it was done
		d.asked = d.asked[1:]
	case 3: // somebody else writes the row
		d.row++
	default:
		give(d.do())
	}
}

// A value that the database refuses for good is an error of the State that got it, for the log: who set it may not wait.
func TestRefusedValueIsAnError(t *testing.T) {
	schema := readSchema(t, "testdata/world.dc")
	avatar := schema.Class("Avatar")
	s, err := New(Config{Instance: do.WellKnown(1), Partitions: []do.Partition{1}, Epoch: 1, Schema: schema})
	require.NoError(t, err)
	id := do.NewID(1, 1, 1)
	step := func(body wire.Body) (sent wire.Body, err error) {
		var out wire.Outbox
		err = s.Step(wire.Message{To: []do.Channel{s.Channel()}, From: tester, Body: body}, &out)
		for _, m := range out.Messages {
			if m.To[0] == database {
				sent = m.Body
			}
		}
		return sent, err
	}
	get, _ := step(&wire.Activate{DO: id, Class: wire.AnyClass})
	_, err = step(&wire.DBObject{Context: get.(*wire.DBGet).Context, DO: id, Class: avatar.Number(), Row: 3, Fields: fieldsOf(avatar.FieldByName("Name"), `"Flippy"`)})
	require.NoError(t, err)
	_, err = step(&wire.SetFields{DO: id, Fields: fieldsOf(avatar.FieldByName("HP"), "7")})
	require.NoError(t, err)
	set, _ := step(&wire.Tick{Unix: int64(time.Second)})
	_, err = step(&wire.Failed{Context: set.(*wire.DBSet).Context, Code: wire.CodeConstraint, Text: "HP is odd"})
	require.ErrorIs(t, err, ErrLost)
	require.ErrorContains(t, err, id.String())
	require.ErrorContains(t, err, "HP is odd")
	require.EqualValues(t, 1, s.Counters().Lost)
}
