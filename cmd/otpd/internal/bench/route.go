package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/wire"
)

// RouteMethod is how the director is measured.
const RouteMethod = "Within a process: batches of messages, each for one channel that all receivers subscribed to, routed and taken from every inbox on " +
	"one goroutine, so that a core's whole work for a delivery is counted. On goroutines of their own: the sender routes while it has credit, each " +
	"receiver takes what has accumulated; latency is that of one message of four batches, from before it was routed to after it was taken. Over the bus: two " +
	"directors of one process, joined by a TCP connection on loopback, with encoding and decoding."

// RouteConfig says what is measured of the director.
type RouteConfig struct {
	Receivers   []int
	Size, Batch int
	For         time.Duration
	Bus         bool
}

// Jobs are the rows.
func (c RouteConfig) Jobs() (jobs []Job, err error) {
	if c.For <= 0 || c.For > time.Hour || c.Size < 1 || c.Size > 1<<20 || c.Batch < 1 || c.Batch > 1<<16 {
		return nil, fmt.Errorf("%d bytes in batches of %d for %v: %w", c.Size, c.Batch, c.For, ErrConfig)
	}
	add := func(name string, receivers int, bus bool, run func(context.Context, RouteConfig, int) (Sample, error)) {
		jobs = append(jobs, Job{
			Name: fmt.Sprintf("%d receivers, %s", receivers, name), Settings: map[string]float64{"receivers": float64(receivers), "size": float64(c.Size), "bus": flag(bus)},
			Run: func(ctx context.Context) (Sample, error) { return run(ctx, c, receivers) },
		})
	}
	for _, n := range c.Receivers {
		if n < 1 || n > 10_000 {
			return nil, fmt.Errorf("%d receivers: want 1 to 10000: %w", n, ErrConfig)
		}
		add("one goroutine", n, false, routeAlone)
	}
	for _, n := range c.Receivers {
		add("goroutines of their own", n, false, routeTogether)
	}
	if c.Bus {
		add("over the bus", 1, true, routeBus)
	}
	return jobs, nil
}

// routed is where messages go.
func routed(i int) do.Channel { return do.At(do.Location{Parent: yardID(), Zone: do.Zone(i + 1)}) }

// messages is one batch, each message for another channel.
func (c RouteConfig) messages() []wire.Message {
	var value fields.MapBuilder
	_ = value.Add(0, fields.AppendBin(nil, make([]byte, c.Size))) // the first number cannot be too low
	out := make([]wire.Message, c.Batch)
	for i := range out {
		out[i] = wire.Message{To: []do.Channel{routed(i)}, Body: &wire.Update{DO: yardID(), Fields: value.Map()}}
	}
	return out
}

// join makes receivers of all messages.
func (c RouteConfig) join(d *messagedirector.Director, n int) []*messagedirector.Participant {
	channels := make([]do.Channel, c.Batch)
	for i := range channels {
		channels[i] = routed(i)
	}
	ps := make([]*messagedirector.Participant, n)
	for i := range ps {
		ps[i] = d.Join("receiver")
		ps[i].Route([]wire.Message{{To: []do.Channel{do.Control(do.RoleDirector)}, Body: &wire.AddChannels{Channels: channels}}})
	}
	return ps
}

func deliveries(n int, took time.Duration, allocs uint64) map[string]float64 {
	return map[string]float64{
		"deliveries_per_s": float64(n) / took.Seconds(), "ns_per_operation": float64(took.Nanoseconds()) / float64(n),
		"allocs_per_operation": float64(allocs*100/uint64(n)) / 100,
	}
}

func routeAlone(_ context.Context, c RouteConfig, receivers int) (Sample, error) {
	d, err := messagedirector.New(messagedirector.Config{})
	if err != nil {
		return Sample{}, err
	}
	sender, ps, out := d.Join("sender"), c.join(d, receivers), c.messages()
	var batch []wire.Message
	once := func() (n int, err error) {
		sender.Route(out)
		for _, p := range ps {
			if _, err := p.Inbox().Take(&batch); err != nil {
				return n, err
			}
			n += len(batch)
		}
		return n, nil
	}
	for range 100 { // inboxes grow to their size
		if n, err := once(); err != nil || n != c.Batch*receivers {
			return Sample{}, errors.Join(err, fmt.Errorf("bench: %d of %d were delivered", n, c.Batch*receivers))
		}
	}
	total := 0
	before, begin := allocations(), time.Now()
	for time.Since(begin) < c.For {
		n, err := once()
		if err != nil {
			return Sample{}, err
		}
		total += n
	}
	return Sample{Values: deliveries(total, time.Since(begin), allocations()-before)}, nil
}

// receive takes n messages. Those that are timed carry their time as the context of a question.
func receive(ctx context.Context, p *messagedirector.Participant, n int, zero time.Time, h *histogram) error {
	var batch []wire.Message
	for n > 0 {
		messages, err := p.Inbox().Wait(ctx, &batch)
		if err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		n -= len(messages)
		for i := range messages {
			if b, ok := messages[i].Body.(*wire.GetLocation); ok {
				h.add(time.Since(zero) - time.Duration(b.Context)*time.Microsecond)
			}
		}
	}
	return nil
}

// lostTime is how long messages may take in all, beyond the measured time.
const lostTime = 30 * time.Second

// transfer routes messages from sender to receivers on goroutines of their own, for a time.
func (c RouteConfig) transfer(ctx context.Context, sender *messagedirector.Participant, ps []*messagedirector.Participant) (Sample, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.For+lostTime, errors.New("bench: messages were lost"))
	defer cancel()
	out := c.messages()
	zero := time.Now()
	const step = 64 // batches between two looks at the clock
	latencies, errs := make([]histogram, len(ps)), make([]error, len(ps)+1)
	// How many there will be is known at the end only: receivers work in rounds.
	total := 0
	before := allocations()
	for time.Since(zero) < c.For {
		var wg sync.WaitGroup
		n := step * c.Batch
		for i, p := range ps {
			wg.Go(func() { errs[i] = receive(ctx, p, n, zero, &latencies[i]) })
		}
		for k := range step {
			if k%4 == 0 { // one message of 4 batches is timed
				out[0].Body = &wire.GetLocation{Context: uint32(time.Since(zero) / time.Microsecond)}
			}
			select {
			case <-sender.Credit():
				sender.Route(out)
			case <-ctx.Done():
				errs[len(ps)] = ctx.Err()
			}
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return Sample{}, errors.Join(context.Cause(ctx), err)
		}
		total += n * len(ps)
	}
	took, allocs := time.Since(zero), allocations()-before
	for i := range latencies[1:] {
		latencies[0].merge(&latencies[i+1])
	}
	v := deliveries(total, took, allocs)
	v["p50_ms"], v["p99_ms"] = milliseconds(latencies[0].quantile(0.5)), milliseconds(latencies[0].quantile(0.99))
	v["p999_ms"], v["max_ms"] = milliseconds(latencies[0].quantile(0.999)), milliseconds(latencies[0].most)
	return Sample{Values: v}, nil
}

func routeTogether(ctx context.Context, c RouteConfig, receivers int) (Sample, error) {
	d, err := messagedirector.New(messagedirector.Config{})
	if err != nil {
		return Sample{}, err
	}
	return c.transfer(ctx, d.Join("sender"), c.join(d, receivers))
}

func routeBus(ctx context.Context, c RouteConfig, receivers int) (s Sample, err error) {
	far, err := messagedirector.New(messagedirector.Config{})
	if err != nil {
		return s, err
	}
	n, err := far.Serve(ctx, messagedirector.BusConfig{})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, n.Close(context.WithoutCancel(ctx))) }()
	near, err := messagedirector.New(messagedirector.Config{})
	if err != nil {
		return s, err
	}
	ps := c.join(far, receivers)
	m, err := near.Connect(ctx, n.URL(), messagedirector.NodeConfig{})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, m.Close(context.WithoutCancel(ctx))) }()
	return c.transfer(ctx, near.Join("sender"), ps)
}
