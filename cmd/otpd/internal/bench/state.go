package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime/metrics"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/stateserver"
	"github.com/otpd/otpd/wire"
)

// StateMethod is how the state server is measured.
const StateMethod = "In the core: messages through State.Step on one goroutine, what they cause thrown away; objects have three int16 fields. " +
	"Memory: objects made as an AI makes them, in a whole server's 16 partitions, growth of its resident memory after a collection, behind a tenth as many that are there before. Openings: " +
	"over QUIC on loopback, from the writing of AddInterest until its answer and all entries have been read; the interest is removed and opened again. " +
	"Deletion: until no State has any of the children."

// StateConfig says what is measured of the state server.
type StateConfig struct {
	For      time.Duration // of each row in the core
	Fill     []int         // objects that a parent has when the time of creates is taken
	Creates  int           // that are timed
	Objects  int           // whose memory is measured; 0: not
	Zone     []int         // objects of the zones that are opened; 0: none is
	Others   []int         // other children that the parent has then
	Openings int           // of each
	Delete   int           // children of the parent that is deleted
}

// Jobs are the rows.
func (c StateConfig) Jobs(start *Launcher) ([]Job, error) {
	if c.For <= 0 || c.Creates < 1 || c.Openings < 1 || c.Delete < 0 || c.Objects < 0 {
		return nil, fmt.Errorf("for %v, %d creates, %d openings, %d objects, %d to delete: want a time, 1 or more creates and openings, and nothing negative: %w",
			c.For, c.Creates, c.Openings, c.Objects, c.Delete, ErrConfig)
	}
	registry, err := newRegistry()
	if err != nil {
		return nil, err
	}
	var position fields.MapBuilder
	if err := position.Add(registry.Schema().Class("Body").FieldByName("Pos").Number, appendStamp(nil, time.Second, 1)); err != nil {
		return nil, err
	}
	jobs := []Job{
		{
			Name: "core: set a field of three values, no watcher",
			Run:  func(context.Context) (Sample, error) { return coreSet(c.For, "Body", position.Map()) },
		},
		{Name: "core: set three fields, no watcher", Run: func(context.Context) (Sample, error) { return coreSet(c.For, "Thing", nil) }},
	}
	for _, n := range c.Fill {
		jobs = append(jobs, Job{
			Name: fmt.Sprintf("core: create, parent with %d children", n), Settings: map[string]float64{"objects": float64(n)},
			Run: func(context.Context) (Sample, error) { return coreCreate(n, c.Creates) },
		})
	}
	if c.Delete > 0 {
		jobs = append(jobs,
			Job{
				Name: fmt.Sprintf("core: delete a parent with %d children", c.Delete),
				Run:  func(context.Context) (Sample, error) { return coreDelete(c.Delete) },
			},
			Job{
				Name: fmt.Sprintf("server: delete a parent with %d children", c.Delete),
				Run: func(ctx context.Context) (Sample, error) {
					return start.With(ctx, ServerConfig{}, func(i Info) (Sample, error) { return deleteParent(ctx, i, c.Delete) })
				},
			})
	}
	if c.Objects > 0 {
		jobs = append(jobs, Job{
			Name: fmt.Sprintf("server: %d objects", c.Objects),
			Run: func(ctx context.Context) (Sample, error) {
				return start.With(ctx, ServerConfig{}, func(i Info) (Sample, error) { return memory(ctx, i, c.Objects) })
			},
		})
	}
	for _, others := range c.Others {
		for _, n := range c.Zone {
			if n == 0 {
				continue
			}
			jobs = append(jobs, Job{
				Name:     fmt.Sprintf("QUIC: open a zone of %d, parent with %d others", n, others),
				Settings: map[string]float64{"zone": float64(n), "others": float64(others)},
				Run: func(ctx context.Context) (Sample, error) {
					return start.With(ctx, ServerConfig{}, func(i Info) (Sample, error) { return openings(ctx, i, n, others, c.Openings) })
				},
			})
		}
	}
	return jobs, nil
}

// core is a State without anything around it.
type core struct {
	state  *stateserver.State
	out    wire.Outbox
	schema *do.Schema
	class  *do.Class  // of what it creates
	fields fields.Map // of that
	parent do.ID
	made   uint64
}

func newCore() (*core, error) {
	registry, err := newRegistry()
	if err != nil {
		return nil, err
	}
	schema := registry.Schema()
	s, err := stateserver.New(stateserver.Config{
		Instance: do.WellKnown(1), Partitions: []do.Partition{1}, Epoch: 1, Schema: schema, NoDatabase: true,
	})
	if err != nil {
		return nil, err
	}
	c := &core{state: s, schema: schema, class: schema.Class("Thing")}
	c.fields = things(c.class, 0)
	c.parent, err = c.create(do.Location{})
	return c, err
}

// step is one message, whatever it causes thrown away.
func (c *core) step(m wire.Message) error {
	err := c.state.Step(m, &c.out)
	c.out.Reset()
	return err
}

func (c *core) create(at do.Location) (do.ID, error) {
	c.made++
	id := do.NewID(1, int64(c.made), c.made)
	return id, c.step(wire.Message{Body: &wire.Create{DO: id, Class: c.class.Number(), Location: at, Fields: c.fields}})
}

// fill makes n children.
func (c *core) fill(n int) (last do.ID, err error) {
	for i := range n {
		if last, err = c.create(do.Location{Parent: c.parent, Zone: do.Zone(1 + i%100)}); err != nil {
			return last, err
		}
	}
	return last, nil
}

// allocations is how many objects this process has allocated so far.
func allocations() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// coreSet sets the same fields of one object again and again.
func coreSet(d time.Duration, class string, m fields.Map) (Sample, error) {
	c, err := newCore()
	if err != nil {
		return Sample{}, err
	}
	c.class = c.schema.Class(class)
	if m == nil {
		m = things(c.class, 500)
	}
	c.fields = fields.EmptyMap()
	if class == "Thing" {
		c.fields = m
	}
	id, err := c.fill(1000)
	if err != nil {
		return Sample{}, err
	}
	set := wire.Message{From: do.AI(do.WellKnown(9)), Body: &wire.SetFields{Context: 1, DO: id, Fields: m}}
	const chunk = 1000
	once := func() error {
		for range chunk {
			if err := c.step(set); err != nil {
				return err
			}
		}
		return nil
	}
	if err := once(); err != nil { // warm
		return Sample{}, err
	}
	n := 0
	before, begin := allocations(), time.Now()
	for time.Since(begin) < d {
		if err := once(); err != nil {
			return Sample{}, err
		}
		n += chunk
	}
	took := time.Since(begin)
	return perOperation(n, took, allocations()-before), nil
}

// perOperation is what n operations took. Allocations are to a hundredth: those of the runtime are not the core's.
func perOperation(n int, took time.Duration, allocs uint64) Sample {
	return Sample{Values: map[string]float64{
		"operations_per_s": float64(n) / took.Seconds(), "ns_per_operation": float64(took.Nanoseconds()) / float64(n),
		"allocs_per_operation": float64(allocs*100/uint64(n)) / 100,
	}}
}

func coreCreate(there, creates int) (Sample, error) {
	c, err := newCore()
	if err != nil {
		return Sample{}, err
	}
	if _, err := c.fill(there); err != nil {
		return Sample{}, err
	}
	before, begin := allocations(), time.Now()
	if _, err := c.fill(creates); err != nil {
		return Sample{}, err
	}
	took := time.Since(begin)
	return perOperation(creates, took, allocations()-before), nil
}

func coreDelete(children int) (Sample, error) {
	c, err := newCore()
	if err != nil {
		return Sample{}, err
	}
	if _, err := c.fill(children); err != nil {
		return Sample{}, err
	}
	begin := time.Now()
	if err := c.step(wire.Message{Body: &wire.DeleteRAM{DO: c.parent}}); err != nil {
		return Sample{}, err
	}
	took := time.Since(begin)
	if n := c.state.Counters().Objects; n != 0 {
		return Sample{}, fmt.Errorf("bench: %d objects are left", n)
	}
	return Sample{Values: map[string]float64{"median_ms": milliseconds(took)}}, nil
}

func deleteParent(ctx context.Context, server Info, children int) (Sample, error) {
	var f Filled
	err := post(ctx, server.Control, fmt.Sprintf("/delete?objects=%d", children), &f)
	return Sample{Values: map[string]float64{"median_ms": f.Seconds * 1000}}, err
}

// memory makes some objects that do not count first, so that queues and buffers have their size.
func memory(ctx context.Context, server Info, objects int) (Sample, error) {
	var before, after Usage
	var f Filled
	if err := errors.Join(
		post(ctx, server.Control, fmt.Sprintf("/fill?objects=%d&zone=1&zones=1000", max(objects/10, 1)), &f),
		get(ctx, server.Control, "/usage?collect", &before),
		post(ctx, server.Control, fmt.Sprintf("/fill?objects=%d&zone=1&zones=1000", objects), &f),
		get(ctx, server.Control, "/usage?collect", &after),
	); err != nil {
		return Sample{}, err
	}
	v := map[string]float64{
		"operations_per_s": float64(objects) / f.Seconds, "server_heap_mb": float64(after.Heap) / 1e6,
		"heap_bytes_per_object": (float64(after.Heap) - float64(before.Heap)) / float64(objects),
	}
	if after.RSS > 0 {
		v["bytes_per_object"] = (float64(after.RSS) - float64(before.RSS)) / float64(objects)
		v["server_rss_mb"] = float64(after.RSS) / 1e6
	}
	return Sample{Values: v}, nil
}
