package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/wire"
)

// Filled is what making or deleting objects took.
type Filled struct {
	Seconds float64 `json:"seconds"`
}

// filler makes objects as an AI does, straight through the server's director.
type filler struct {
	p     *messagedirector.Participant
	from  do.Channel
	class *do.Class
	batch []wire.Message
	done  chan error // one for each answer
}

func (s *Server) newFiller() (*filler, error) {
	registry, err := newRegistry()
	if err != nil {
		return nil, err
	}
	f := &filler{
		p: s.daemon.Director().Join("bench filler"), from: do.AI(do.NewID(0, time.Now().UnixMilli(), rand.Uint64())),
		class: registry.Schema().Class("Thing"), done: make(chan error, 4096),
	}
	f.p.Route([]wire.Message{{To: []do.Channel{do.Control(do.RoleDirector)}, Body: &wire.AddChannels{Channels: []do.Channel{f.from}}}})
	go f.receive()
	return f, nil
}

// receive takes what the filler is sent until it leaves: as an AI it hears of each object that it makes, and nobody
// has credit while that piles up.
func (f *filler) receive() {
	var batch []wire.Message
	for {
		messages, err := f.p.Inbox().Wait(context.Background(), &batch)
		if err != nil {
			return
		}
		for _, m := range messages {
			switch b := m.Body.(type) {
			case *wire.Done:
				f.done <- nil
			case *wire.Failed:
				f.done <- fmt.Errorf("%w: %s", b.Code, b.Text)
			}
		}
	}
}

// things is the n-th Thing's fields.
func things(class *do.Class, n int) fields.Map {
	var b fields.MapBuilder
	for i, f := range class.Stored() {
		_ = b.Add(f.Number, fields.AppendInt(nil, int64(1000+(n+i)%1000))) // numbers rise: it cannot fail
	}
	return b.Map()
}

// query reads a count out of a query.
func query(q url.Values, name string, most int) (int, error) {
	n, err := strconv.Atoi(q.Get(name))
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("%s=%q: want 1 to %d", name, q.Get(name), most)
	}
	return n, nil
}

// fill makes ?objects=N things below the yard, dealt out over ?zones=N zones from ?zone=N on, in partitions at random.
// It returns when their States have taken them.
func (s *Server) fill(ctx context.Context, q url.Values) (any, error) {
	objects, err := query(q, "objects", 10_000_000)
	if err != nil {
		return nil, err
	}
	zone, err := query(q, "zone", 1<<30)
	if err != nil {
		return nil, err
	}
	zones, err := query(q, "zones", 1<<30)
	if err != nil {
		return nil, err
	}
	s.filling.Lock()
	defer s.filling.Unlock()
	f, err := s.newFiller()
	if err != nil {
		return nil, err
	}
	defer f.p.Leave()
	begin := time.Now()
	err = f.create(ctx, yardID(), objects, s.daemon.Stats().Partitions, func(i int) do.Zone { return do.Zone(zone + i%zones) })
	return Filled{time.Since(begin).Seconds()}, err
}

// fillBatch is how many messages are routed at once.
const fillBatch = 256

// create makes things below a parent, and waits for the answer to the last of each partition: so all were taken.
func (f *filler) create(ctx context.Context, parent do.ID, objects, partitions int, zone func(int) do.Zone) error {
	asked := 0
	for i := range objects {
		last := i >= objects-partitions
		partition := do.Partition(1 + rand.IntN(partitions))
		if last {
			partition = do.Partition(1 + (objects-1-i)%partitions)
		}
		c := &wire.Create{
			DO: do.NewID(partition, time.Now().UnixMilli(), rand.Uint64()), Class: f.class.Number(),
			Location: do.Location{Parent: parent, Zone: zone(i)}, AI: f.from, Fields: things(f.class, i),
		}
		if last {
			asked++
			c.Context = uint32(asked)
		}
		f.batch = append(f.batch, wire.Message{To: []do.Channel{do.ObjectChannel(c.DO)}, From: f.from, Body: c})
		if len(f.batch) == fillBatch || i == objects-1 {
			if err := f.route(ctx); err != nil {
				return err
			}
		}
	}
	return f.answered(ctx, asked)
}

func (f *filler) route(ctx context.Context) error {
	select {
	case <-f.p.Credit():
	case <-ctx.Done():
		return ctx.Err()
	}
	f.p.Route(f.batch)
	f.batch = make([]wire.Message, 0, fillBatch) // what was routed belongs to its receivers
	return nil
}

// answered waits for as many answers.
func (f *filler) answered(ctx context.Context, asked int) error {
	for range asked {
		select {
		case err := <-f.done:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// deleteParent makes an object with ?objects=N children in all partitions, deletes it, and waits until all are gone.
func (s *Server) deleteParent(ctx context.Context, q url.Values) (any, error) {
	objects, err := query(q, "objects", 10_000_000)
	if err != nil {
		return nil, err
	}
	s.filling.Lock()
	defer s.filling.Unlock()
	f, err := s.newFiller()
	if err != nil {
		return nil, err
	}
	defer f.p.Leave()
	before := s.objects()
	parent := &wire.Create{
		Context: 1, DO: do.NewID(1, time.Now().UnixMilli(), rand.Uint64()), Class: f.class.Number(),
		Location: do.Location{Parent: yardID(), Zone: 1 << 31}, AI: f.from, Fields: things(f.class, 0),
	}
	f.batch = append(f.batch, wire.Message{To: []do.Channel{do.ObjectChannel(parent.DO)}, From: f.from, Body: parent})
	if err := errors.Join(f.route(ctx), f.answered(ctx, 1)); err != nil {
		return nil, err
	}
	if err := f.create(ctx, parent.DO, objects, s.daemon.Stats().Partitions, func(i int) do.Zone { return do.Zone(1 + i%100) }); err != nil {
		return nil, err
	}
	begin := time.Now()
	f.batch = append(f.batch, wire.Message{To: []do.Channel{do.ObjectChannel(parent.DO)}, From: f.from, Body: &wire.DeleteRAM{DO: parent.DO}})
	if err := f.route(ctx); err != nil {
		return nil, err
	}
	for s.objects() > before {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return Filled{time.Since(begin).Seconds()}, nil
}

// objects is how many there are.
func (s *Server) objects() (n uint64) {
	for _, c := range s.daemon.Stats().States {
		n += c.Objects
	}
	return n
}
