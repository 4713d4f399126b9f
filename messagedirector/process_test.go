package messagedirector

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// The tests of this file run over real processes: the test binary starts itself again as a district.

// childURL tells the test binary that it is a district, and where to join.
const childURL = "OTPD_TEST_CHILD_URL"

// childLease tells it the lease.
const childLease = "OTPD_TEST_CHILD_LEASE"

// longLease is for tests in which nobody dies, however slowly this machine runs its processes.
const longLease = 15 * time.Second

// Channels between the test and its districts.
var (
	pulses  = do.Group(do.WellKnown(1)) // a district sends its pulse here: Unix is its generation
	wills   = do.Group(do.WellKnown(2)) // its will: Unix is its generation
	queries = do.Group(do.WellKnown(3)) // asks for the whole view, after it joined again
	reports = do.Group(do.WellKnown(4)) // asks districts to report
)

// views is how many channels a district listens to.
const views = 1000

func view(i int) do.Channel { return do.At(do.Location{Parent: street, Zone: do.Zone(i)}) }

// report is what a district tells on its standard output, a line each.
type report struct {
	Event string        // joined, lost, dead, view
	Count int           // messages
	Wrong int           // messages out of order
	View  map[int]int64 // by zone: the last value
	Node  string        // joined: as which
}

// childMain is the district: it keeps a view of its channels, and joins again as a new node when its epoch is dead.
func childMain(url string) error {
	out := json.NewEncoder(os.Stdout)
	for generation := int64(1); ; generation++ {
		err := child(url, generation, out)
		if !errors.Is(err, ErrEpochDead) {
			return err
		}
		if err := out.Encode(report{Event: "dead"}); err != nil {
			return err
		}
	}
}

func child(url string, generation int64, out *json.Encoder) error {
	ctx := context.Background()
	d, err := New(Config{})
	if err != nil {
		return err
	}
	p := d.Join("district")
	all := []do.Channel{reports}
	for i := range views {
		all = append(all, view(i))
	}
	tick := &wire.Tick{Unix: generation}
	p.Route([]wire.Message{
		subscribe(all...),
		control(&wire.AddPostRemove{Message: wire.Message{To: []do.Channel{wills}, Body: tick}}),
	})
	lease, err := time.ParseDuration(os.Getenv(childLease))
	if err != nil {
		return err
	}
	n, err := d.Connect(ctx, url, NodeConfig{Name: "district", Lease: lease})
	if err != nil {
		return err
	}
	if err := out.Encode(report{Event: "joined", Node: n.ID().String()}); err != nil {
		return err
	}
	go pulse(d, n, tick)
	p.Route([]wire.Message{{To: []do.Channel{queries}, Body: tick}})
	return listen(ctx, p, out)
}

// pulse sends the generation all the time, to see what of a dead epoch still gets through.
func pulse(d *Director, n *Node, tick *wire.Tick) {
	p := d.Join("pulse")
	for {
		select {
		case <-n.Done():
			return
		case <-time.After(20 * time.Millisecond):
			p.Route([]wire.Message{{To: []do.Channel{pulses}, Body: tick}})
		}
	}
}

func listen(ctx context.Context, p *Participant, out *json.Encoder) error {
	r := report{Event: "view", View: map[int]int64{}}
	var batch []wire.Message
	for {
		ms, err := p.Inbox().Wait(ctx, &batch)
		if err != nil {
			return err
		}
		for _, m := range ms {
			if err := r.take(m, out); err != nil {
				return err
			}
		}
	}
}

func (r *report) take(m wire.Message, out *json.Encoder) error {
	switch b := m.Body.(type) {
	case *wire.LinkLost:
		return out.Encode(report{Event: "lost"})
	case *wire.Tick:
		if m.To[0] == reports {
			return out.Encode(r)
		}
		r.Count++
		for _, c := range m.To {
			zone := int(c.Zone)
			if b.Unix < r.View[zone] {
				r.Wrong++
			}
			r.View[zone] = b.Unix
		}
	}
	return nil
}

// district is a process that the test started.
type district struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.Closer
	lines chan report
}

func start(t *testing.T, n *Node) *district {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childURL+"="+n.URL(), childLease+"="+n.config.Lease.String())
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe() // closed with this process: the district ends with it
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	c := &district{t: t, cmd: cmd, stdin: stdin, lines: make(chan report, 100)}
	go func() {
		defer close(c.lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			var r report
			if json.Unmarshal(s.Bytes(), &r) == nil {
				c.lines <- r
			}
		}
	}()
	t.Cleanup(c.kill)
	c.expect("joined")
	return c
}

// expect is the next line of the district, which must be this event.
func (c *district) expect(event string) report {
	c.t.Helper()
	select {
	case r, ok := <-c.lines:
		require.True(c.t, ok, "the district ended instead of %s", event)
		require.Equal(c.t, event, r.Event)
		return r
	case <-time.After(time.Minute):
		require.FailNow(c.t, "no "+event)
	}
	return report{}
}

func (c *district) signal(s syscall.Signal) {
	c.t.Helper()
	require.NoError(c.t, c.cmd.Process.Signal(s))
}

// kill ends the district at once, and returns when it has ended.
func (c *district) kill() {
	if c.cmd.ProcessState != nil {
		return
	}
	_ = c.cmd.Process.Kill()
	_ = c.stdin.Close()
	for range c.lines { // until its output ends
	}
	_ = c.cmd.Wait()
}

// world is the sender's side: it knows what every view must be.
type world struct {
	t    *testing.T
	p    *Participant
	node *Node
	want map[int]int64
	n    int64
}

func newWorld(t *testing.T, lease time.Duration) *world {
	t.Helper()
	d, n := serve(t, lease)
	w := &world{t: t, p: d.Join("world"), node: n, want: map[int]int64{}}
	hosting(w.p)
	w.p.Route([]wire.Message{subscribe(pulses, wills, queries)})
	return w
}

// change sends n changes of views, one after the other through all of them.
func (w *world) change(n int) {
	var out []wire.Message
	for range n {
		zone := int(w.n) % views
		w.n++
		w.want[zone] = w.n
		out = append(out, wire.Message{To: []do.Channel{view(zone)}, Body: &wire.Tick{Unix: w.n}})
	}
	<-w.p.Credit()
	w.p.Route(out)
}

// changeFor sends changes all the time.
func (w *world) changeFor(d time.Duration) {
	w.until(time.After(d), nil)
}

// until sends changes until the end, and hands over what comes in meanwhile: f reports whether that is enough.
func (w *world) until(end <-chan time.Time, f func(wire.Message) bool) {
	w.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var batch []wire.Message
	for {
		select {
		case <-end:
			return
		case <-tick.C:
			w.change(100)
		case <-w.p.Inbox().Wake():
			_, err := w.p.Inbox().Take(&batch)
			require.NoError(w.t, err)
			for _, m := range batch {
				if f != nil && f(m) {
					return
				}
			}
		}
	}
}

// answer sends the whole view, as an opening does.
func (w *world) answer() {
	var out []wire.Message
	for zone := range views {
		if v := w.want[zone]; v != 0 {
			out = append(out, wire.Message{To: []do.Channel{view(zone)}, Body: &wire.Tick{Unix: v}})
		}
	}
	w.p.Route(out)
}

func (w *world) report(c *district) report {
	w.t.Helper()
	w.p.Route([]wire.Message{{To: []do.Channel{reports}, Body: &wire.Tick{}}})
	return c.expect("view")
}

func (w *world) requireEqualViews(c *district) {
	w.t.Helper()
	r := w.report(c)
	require.Equal(w.t, w.want, r.View)
	require.Zero(w.t, r.Wrong, "messages out of order")
}

func TestProcessHearsAMessageToThreeOfItsChannelsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, longLease)
	c := start(t, w.node)
	w.p.Route([]wire.Message{{To: []do.Channel{view(1), view(2), view(3)}, Body: &wire.Tick{Unix: 5}}})
	r := w.report(c)
	require.Equal(t, 1, r.Count)
	require.Equal(t, map[int]int64{1: 5, 2: 5, 3: 5}, r.View)
}

func TestProcessHears100000MessagesInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, longLease)
	c := start(t, w.node)
	for range 1000 {
		w.change(100)
	}
	w.requireEqualViews(c)
	require.Equal(t, 100_000, w.report(c).Count)
}

func TestProcessStoppedFor2sMissesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, longLease)
	c := start(t, w.node)
	w.changeFor(50 * time.Millisecond)
	c.signal(syscall.SIGSTOP)
	w.until(time.After(2*time.Second), func(m wire.Message) bool {
		require.NotContains(t, m.To, wills)
		return false
	})
	c.signal(syscall.SIGCONT)
	w.changeFor(50 * time.Millisecond)
	w.requireEqualViews(c)
	require.Equal(t, int(w.n), w.report(c).Count, "nothing is lost and nothing comes twice")
}

func TestRule11ProcessStoppedFor5sIsDeadAndJoinsAsANewOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, DefaultLease)
	c := start(t, w.node)
	w.changeFor(50 * time.Millisecond)
	c.signal(syscall.SIGSTOP)
	willed, lost := 0, 0
	stopped := time.Now()
	w.until(time.After(time.Minute), func(m wire.Message) bool {
		switch b := m.Body.(type) {
		case *wire.LinkLost:
			require.True(t, b.Dead)
			lost++
		case *wire.Tick:
			if m.To[0] == wills {
				require.Equal(t, int64(1), b.Unix)
				require.Greater(t, time.Since(stopped), 2*time.Second)
				willed++
			}
		}
		return willed > 0 && lost > 0
	})
	require.Equal(t, 1, willed, "the will is run once")
	require.Equal(t, 1, lost)
	c.signal(syscall.SIGCONT)
	w.until(time.After(time.Minute), func(m wire.Message) bool {
		require.NotContains(t, m.To, wills, "the will is run once")
		b, ok := m.Body.(*wire.Tick)
		if !ok {
			return false
		}
		require.NotEqual(t, int64(1), b.Unix, "a dead epoch writes nothing")
		return m.To[0] == queries
	})
	w.answer()
	c.expect("dead")
	c.expect("joined")
	w.changeFor(50 * time.Millisecond)
	w.requireEqualViews(c)
}

func TestRule11ProcessKilledHasItsWillRunOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, DefaultLease)
	c := start(t, w.node)
	other := start(t, w.node) // a second one who knows the will, and whose own is not run
	c.kill()
	willed := false
	w.until(time.After(time.Minute), func(m wire.Message) bool {
		willed = m.To[0] == wills
		return willed
	})
	require.True(t, willed)
	require.Equal(t, "lost", other.expect("lost").Event)
	w.until(time.After(time.Second), func(m wire.Message) bool {
		require.NotContains(t, m.To, wills, "the will is run once")
		return false
	})
	w.requireEqualViews(other)
}

func TestRule11WillIsNotRunOnAHiccup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, longLease)
	c := start(t, w.node)
	c.signal(syscall.SIGSTOP)
	w.changeFor(time.Second)
	c.signal(syscall.SIGCONT)
	w.until(time.After(time.Second), func(m wire.Message) bool {
		require.NotContains(t, m.To, wills)
		return false
	})
	w.requireEqualViews(c)
}

func childOrFail(url string) {
	go func() { // ends with its parent
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if err := childMain(url); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
