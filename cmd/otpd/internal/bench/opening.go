package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// openingZone is the zone that is opened; othersZone and those behind it hold the other children.
const (
	openingZone = 100_000
	othersZone  = 200_000
)

// openings fills a zone and times how long a client takes to open it.
func openings(ctx context.Context, server Info, objects, others, times int) (Sample, error) {
	var f Filled
	if err := post(ctx, server.Control, fmt.Sprintf("/fill?objects=%d&zone=%d&zones=1", objects, openingZone), &f); err != nil {
		return Sample{}, err
	}
	if others > 0 {
		if err := post(ctx, server.Control, fmt.Sprintf("/fill?objects=%d&zone=%d&zones=100", others, othersZone), &f); err != nil {
			return Sample{}, err
		}
	}
	o, err := newOpener(ctx, server)
	if err != nil {
		return Sample{}, err
	}
	defer o.conn.Close(0, "")
	// Objects of partitions other than the parent's enter when it has answered them: until all have, nothing is measured.
	for end := time.Now().Add(settleTime); ; {
		t, err := o.open()
		if err != nil {
			return Sample{}, err
		}
		if t.entered == objects {
			break
		}
		if time.Now().After(end) {
			return Sample{}, fmt.Errorf("bench: %d of %d objects enter", t.entered, objects)
		}
	}
	var all, first histogram
	var took []float64
	for range times {
		t, err := o.open()
		if err != nil {
			return Sample{}, err
		}
		if t.entered != objects {
			return Sample{}, fmt.Errorf("bench: %d of %d objects enter", t.entered, objects)
		}
		all.add(t.all)
		first.add(t.first)
		took = append(took, milliseconds(t.all))
	}
	slices.Sort(took)
	return Sample{Values: map[string]float64{
		"median_ms": newStat(took).Median, "p99_ms": milliseconds(all.quantile(0.99)), "max_ms": milliseconds(all.most),
		"first_ms": milliseconds(first.quantile(0.5)),
	}}, nil
}

// settleTime is how long objects may take until they are where they were made.
const settleTime = 30 * time.Second

// opener is a client that opens one zone again and again, on one goroutine.
type opener struct {
	*plain
	context uint32
}

func newOpener(ctx context.Context, server Info) (*opener, error) {
	l, err := newLoad(ctx, ZoneConfig{})
	if err != nil {
		return nil, err
	}
	p, err := dialPlain(ctx, l, server, 0)
	if err != nil {
		return nil, err
	}
	if _, err := p.call(l.enterCall(openingZone - 1)); err != nil {
		return nil, errors.Join(err, p.conn.Close(0, ""))
	}
	return &opener{plain: p}, nil
}

// opened is one opening.
type opened struct {
	entered    int
	first, all time.Duration // until the first entry was read, until all and the answer were
}

// open opens the zone, removes the interest again, and acknowledges what left: no more than some 260,000 objects may leave
// without that, and who does not for long is ejected.
func (o *opener) open() (t opened, err error) {
	begin := time.Now()
	o.context++
	asked := o.context
	if err := o.say(&wire.ClientAddInterest{Context: asked, Handle: 2, Parent: yardID(), Zones: []do.Zone{openingZone}}); err != nil {
		return t, err
	}
	err = o.until(asked, func(f wire.Frame) {
		if _, ok := f.(*wire.ClientEnter); ok {
			if t.entered++; t.entered == 1 {
				t.first = time.Since(begin)
			}
		}
	})
	t.all = time.Since(begin)
	if err != nil {
		return t, err
	}
	o.context++
	if err := o.say(&wire.ClientRemoveInterest{Context: o.context, Handle: 2}); err != nil {
		return t, err
	}
	if err := o.until(o.context, func(wire.Frame) {}); err != nil {
		return t, err
	}
	return t, o.say(&wire.ClientHeartbeat{Frames: o.frames})
}

// until reads until an interest is answered.
func (o *opener) until(asked uint32, each func(wire.Frame)) error {
	for done := false; !done; {
		err := o.read(func(f wire.Frame) error {
			if f, ok := f.(*wire.ClientInterestDone); ok {
				done = done || f.Context == asked
				return codeError("interest", f.Code, f.Text)
			}
			each(f)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
