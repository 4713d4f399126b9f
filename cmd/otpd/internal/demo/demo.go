package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/otpd/otpd/client"
	"github.com/otpd/otpd/cmd/otpd/internal/daemon"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/examples/tavern"
)

// Options are what `otpd demo` is told.
type Options struct {
	Bots   int
	For    time.Duration // 0: until ctx ends
	Hz     int
	DB     string
	Data   string
	Seed   uint64
	JSON   bool
	Split  bool
	Record string // empty: recorded in Data while For is above 0, and kept only when the check fails

	Out  io.Writer // lines for people, and the JSON object
	Errs io.Writer // what child processes log
	Log  *slog.Logger
}

// demo is one run.
type demo struct {
	opts     Options
	world    world
	bots     []*tavern.Bot
	receipts *receipts
	record   string
	keep     bool // the recordings, whatever happens

	stopBots context.CancelFunc
	wg       sync.WaitGroup

	stood       standstill
	settled     time.Time     // end of the login phase
	before      sum           // what there was then
	stoodBefore time.Duration // and how long the machine had stood still
}

// loginPhase is how long bots get to log in before figures count.
const loginPhase = 2 * time.Second

// Run shows the world and returns what happened. An error says why it could not, or was not as it should be.
func Run(ctx context.Context, opts Options) (Summary, error) {
	d := &demo{opts: opts}
	if err := d.prepare(); err != nil {
		return Summary{}, err
	}
	started := time.Now()
	if err := d.startWorld(ctx); err != nil {
		return Summary{}, err
	}
	d.say("world up in %v: clients %v, admin http://%s, data %s, seed %d (password hashes are cheap ones, for the demo only)",
		time.Since(started).Round(time.Millisecond), d.world.addrs(), d.world.adminAddr(), opts.Data, opts.Seed)
	d.startBots()
	d.watch(ctx)
	summary, failure := d.finish()
	d.stopBots()
	d.wg.Wait()
	failure = errors.Join(failure, d.world.stop(), d.receipts.save(d.bots))
	d.tidyRecord(failure)
	return summary, failure
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.opts.Out, format+"\n", args...)
}

func (d *demo) prepare() (err error) {
	if err := os.MkdirAll(d.opts.Data, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if d.receipts, err = loadReceipts(d.opts.Data, d.opts.DB); err != nil {
		return err
	}
	d.record, d.keep = d.opts.Record, d.opts.Record != ""
	if d.record == "" && d.opts.For > 0 {
		d.record = filepath.Join(d.opts.Data, "record")
		return os.RemoveAll(d.record)
	}
	return nil
}

// config is the daemon's: free ports on loopback.
func (d *demo) config() daemon.Config {
	return daemon.Config{
		Listen: "127.0.0.1:0", Data: d.opts.Data, DB: d.opts.DB, Dev: true, Partitions: 16, States: 4, Agents: 1,
		Bus: "127.0.0.1:0", Admin: "127.0.0.1:0", Heartbeat: 30 * time.Second, Record: d.record,
		LogLevel: "warn", LogFormat: "auto",
	}
}

func (d *demo) startWorld(ctx context.Context) (err error) {
	if d.opts.Split {
		d.world, err = startSplit(ctx, d.config(), d.opts.Errs)
		return err
	}
	cfg := d.config()
	cfg.Bus = "" // nobody joins
	d.world, err = startLocal(ctx, cfg, d.opts.Log)
	return err
}

func (d *demo) startBots() {
	ctx, stop := context.WithCancel(context.Background())
	d.stopBots = stop
	d.wg.Go(func() { d.stood.watch(ctx) })
	addrs := d.world.addrs()
	dialer := new(client.Dialer)
	for i := range d.opts.Bots {
		name := fmt.Sprintf("bot-%03d", i+1)
		known := d.receipts.known(name)
		bot := tavern.NewBot(tavern.BotConfig{
			Addr: addrs[i%len(addrs)], TLS: d.world.tls(), Name: name, Password: "password of " + name, Known: known,
			Seed: d.opts.Seed + uint64(i), Hz: d.opts.Hz, Dialer: dialer, Log: d.opts.Log,
		})
		d.bots = append(d.bots, bot)
		d.wg.Go(func() { bot.Run(ctx) })
	}
}

// watch prints a line each second until the time is over.
func (d *demo) watch(ctx context.Context) {
	if d.opts.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.opts.For)
		defer cancel()
	}
	began := time.Now()
	settle := time.NewTimer(min(loginPhase, max(d.opts.For/4, 100*time.Millisecond)))
	if d.opts.For == 0 {
		settle.Reset(loginPhase)
	}
	defer settle.Stop()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	last := d.sum()
	for {
		select {
		case <-ctx.Done():
			return
		case <-settle.C:
			d.settled, d.before, d.stoodBefore = time.Now(), d.sum(), d.stood.sum()
		case now := <-second.C:
			s := d.sum()
			stats, err := d.world.stats(ctx)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				d.opts.Log.Warn("no figures from the daemon", "err", err)
			}
			d.say("%s", line(now.Sub(began), s, last, stats))
			last = s
		}
	}
}

// finish brings the world to rest, compares, and sums up.
func (d *demo) finish() (Summary, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	moving := d.sum()
	if d.settled.IsZero() {
		d.settled = time.Now()
	}
	measured, stood := time.Since(d.settled), d.stood.sum()-d.stoodBefore
	schema, err := schema()
	if err = errors.Join(d.rest(ctx), err); err != nil {
		return Summary{}, err
	}
	f, err := d.compare(ctx, schema)
	if err != nil {
		return Summary{}, err
	}
	for _, line := range f.diffs {
		d.say("diverged: %s", line)
	}
	persisted, err := d.receipts.compare(d.bots)
	s := d.summary(moving, measured, &f, persisted)
	s.StoodStill = stood.Seconds()
	return s, errors.Join(err, s.judge(d.opts, measured))
}

// tidyRecord keeps the recordings of a run that failed, and says where they are.
func (d *demo) tidyRecord(failure error) {
	switch {
	case d.record == "":
	case failure != nil:
		d.say("the recorded inputs are in %s: otpd replay %s", d.record, d.record)
	case !d.keep:
		if err := os.RemoveAll(d.record); err != nil {
			d.opts.Log.Warn("recordings not removed", "err", err)
		}
	}
}

func schema() (*do.Schema, error) {
	r, err := tavern.AIRegistry()
	if err != nil {
		return nil, err
	}
	return r.Schema(), nil
}
