package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/link"
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
	conn    link.Conn
	buf     []byte
	context uint32
}

func newOpener(ctx context.Context, server Info) (*opener, error) {
	l, err := newLoad(ctx, ZoneConfig{})
	if err != nil {
		return nil, err
	}
	pin, err := server.pin()
	if err != nil {
		return nil, err
	}
	conn, err := link.Dial(ctx, server.Addrs[0], link.DialConfig{TLS: link.Pinned(pin), NoDatagrams: true})
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	o := &opener{conn: conn}
	sum := l.schema.Fingerprint()
	in := false
	err = o.say(&wire.ClientHello{Schema: sum[:], Meta: "otpd bench"})
	for err == nil && !in {
		err = o.read(func(f wire.Frame) error {
			switch f := f.(type) {
			case *wire.ClientWelcome:
				return o.say(l.enterCall(openingZone - 1))
			case *wire.ClientReply:
				in = true
				return codeError("enter", f.Code, f.Text)
			}
			return nil
		})
	}
	if err != nil {
		_ = conn.Close(0, "")
		return nil, err
	}
	return o, nil
}

// codeError is nil for the code of success.
func codeError(what string, code wire.Code, text string) error {
	if code == 0 {
		return nil
	}
	return fmt.Errorf("bench: %s: %w: %s", what, code, text)
}

func (o *opener) say(f wire.Frame) error {
	if _, err := o.conn.Write(wire.AppendFrame(nil, f)); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}

// read hands over the whole frames of one read.
func (o *opener) read(handle func(wire.Frame) error) error {
	o.buf = slices.Grow(o.buf, readBuffer)
	n, err := o.conn.Read(o.buf[len(o.buf):cap(o.buf)])
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	o.buf = o.buf[:len(o.buf)+n]
	used := 0
	for used < len(o.buf) {
		f, n, err := wire.NextFrame(o.buf[used:])
		if err != nil {
			if isShort(err) {
				break
			}
			return err
		}
		used += n
		if err := handle(f); err != nil {
			return err
		}
	}
	o.buf = o.buf[:copy(o.buf, o.buf[used:])]
	return nil
}

// opened is one opening.
type opened struct {
	entered    int
	first, all time.Duration // until the first entry was read, until all and the answer were
}

// open opens the zone, and removes the interest again.
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
	return t, o.until(o.context, func(wire.Frame) {})
}

// until reads until an interest is answered.
func (o *opener) until(asked uint32, each func(wire.Frame)) error {
	for done := false; !done; {
		err := o.read(func(f wire.Frame) error {
			switch f := f.(type) {
			case *wire.ClientInterestDone:
				done = done || f.Context == asked
				return codeError("interest", f.Code, f.Text)
			case *wire.ClientEject:
				return fmt.Errorf("bench: ejected: %d %s", f.Reason, f.Text)
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
