package bench

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/stateserver"
	"github.com/otpd/otpd/wire"
)

// DBMethod is how the database is measured.
const DBMethod = "The real roles in this process: director, 4 state servers, the database role before the database of the address; messages as an AI sends " +
	"them. Updates: sets of one int64 field of active objects in turn, at a fixed rate, each with the wish to hear when it is on the disk; " +
	"latency is from the intended time of sending to that answer. Every object is set once in (objects / rate) seconds, so that hardly two sets " +
	"share a row's write. Activation: all objects are asked for at once, until the last is alive. List: pages of 1000 through the role; heap is " +
	"the highest of those after each 20th page, after a collection, above that before the first."

// DBConfig says what is measured of a database.
type DBConfig struct {
	Open     func(ctx context.Context) (database.Backend, error)
	Workers  int   // batches at once
	Rates    []int // updates a second
	Objects  int   // that are updated
	Activate int   // objects that are brought to life at once; 0: not measured
	List     int   // rows that are listed; 0: not measured
	For      time.Duration
	Warmup   time.Duration
	Log      *slog.Logger
}

// Jobs are the rows.
func (c DBConfig) Jobs() ([]Job, error) {
	if c.Open == nil || c.Objects < 1 || c.For <= 0 || c.Warmup < 0 || c.Activate < 0 || c.List < 0 {
		return nil, fmt.Errorf("%d objects for %v: %w", c.Objects, c.For, ErrConfig)
	}
	var jobs []Job
	for _, rate := range c.Rates {
		if rate < 1 || rate > 1_000_000 {
			return nil, fmt.Errorf("%d updates a second: want 1 to 1000000: %w", rate, ErrConfig)
		}
		jobs = append(jobs, Job{
			Name: fmt.Sprintf("commit %d/s of %d objects", rate, c.Objects), Settings: map[string]float64{"rate": float64(rate), "objects": float64(c.Objects)},
			Run: func(ctx context.Context) (Sample, error) {
				return c.within(ctx, func(w *dbWorld) (Sample, error) { return w.commit(ctx, rate) })
			},
		})
	}
	if c.Activate > 0 {
		jobs = append(jobs, Job{
			Name: fmt.Sprintf("activate %d objects", c.Activate), Settings: map[string]float64{"objects": float64(c.Activate)},
			Run: func(ctx context.Context) (Sample, error) {
				return c.within(ctx, func(w *dbWorld) (Sample, error) { return w.activation(ctx) })
			},
		})
	}
	if c.List > 0 {
		jobs = append(jobs, Job{
			Name: fmt.Sprintf("list %d objects in pages", c.List), Settings: map[string]float64{"objects": float64(c.List)},
			Run: func(ctx context.Context) (Sample, error) {
				return c.within(ctx, func(w *dbWorld) (Sample, error) { return w.list(ctx) })
			},
		})
	}
	return jobs, nil
}

// dbWorld is the roles, and who speaks to them.
type dbWorld struct {
	cfg     DBConfig
	backend database.Backend
	schema  *do.Schema
	me      do.Channel
	part    *messagedirector.Participant
	out     wire.Outbox
	batch   []wire.Message
	ids     []do.ID
	cluster uint16 // partitions
}

// dbClasses are the classes of the objects: one for those that are updated, one for those that are listed.
var dbClasses = []string{"BenchUpdated", "BenchListed"}

func dbSchema() (*do.Schema, error) {
	var decls []do.ClassDecl
	for _, name := range dbClasses {
		c := do.ClassDecl{Name: name}
		for _, f := range []struct{ name, typ string }{{"Gold", "int64"}, {"HP", "int16"}, {"Name", "string"}} {
			typ, err := fields.ParseType(f.typ)
			if err != nil {
				return nil, err
			}
			c.Fields = append(c.Fields, do.FieldDecl{Name: f.name, Kind: do.FieldState, Keywords: fields.Required | fields.DB, Type: typ})
		}
		decls = append(decls, c)
	}
	return do.NewSchema(decls, nil)
}

// within runs a measurement in a world of its own. The rows of others in the database stay as they are.
func (c DBConfig) within(ctx context.Context, f func(w *dbWorld) (Sample, error)) (s Sample, err error) {
	w := &dbWorld{cfg: c, me: do.AI(do.NewID(0, time.Now().UnixMilli(), 1))}
	if w.backend, err = c.Open(ctx); err != nil {
		return s, fmt.Errorf("bench: %w", err)
	}
	defer w.backend.Close()
	offered, err := dbSchema()
	if err != nil {
		return s, err
	}
	opening, err := database.Begin(ctx, w.backend, database.Cluster{ID: do.NewID(0, time.Now().UnixMilli(), 2), Created: time.Now()})
	if err != nil {
		return s, err
	}
	w.schema, w.cluster = offered, opening.Cluster.Partitions
	record, err := w.backend.Schema(ctx)
	if err != nil {
		return s, err
	}
	if opening.Schema != nil {
		if w.schema, err = do.Merge(opening.Schema, offered); err != nil {
			return s, fmt.Errorf("bench: the database has the schema of something else: %w", err)
		}
	}
	if opening.Schema == nil || string(w.schema.Text()) != string(record.Text) {
		if _, err := w.backend.SetSchema(ctx, record.Version, w.schema); err != nil {
			return s, err
		}
	}
	stop, err := w.start(opening)
	if err != nil {
		return s, err
	}
	defer stop()
	return f(w)
}

// start runs the roles until stop is called.
func (w *dbWorld) start(opening database.Opening) (stop func(), err error) {
	director, err := messagedirector.New(messagedirector.Config{Log: w.cfg.Log})
	if err != nil {
		return nil, err
	}
	db, err := database.NewServer(director, w.backend, database.ServerConfig{
		State: database.Config{Partitions: w.cluster, Workers: w.cfg.Workers}, Log: w.cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	stopDB := runUntilStopped(db.Run)
	const states = 4
	var stops []func()
	stop = func() {
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
		stopDB()
	}
	for i := range states {
		cfg := stateserver.Config{Instance: do.NewID(0, time.Now().UnixMilli(), uint64(10+i)), Epoch: opening.Epoch}
		for _, p := range opening.Partitions {
			if int(p)%states == i {
				cfg.Partitions = append(cfg.Partitions, p)
			}
		}
		s, err := stateserver.NewServer(cfg, director.Join(fmt.Sprintf("state %d", i)), stateserver.Options{Log: w.cfg.Log})
		if err != nil {
			stop()
			return nil, err
		}
		stops = append(stops, runUntilStopped(s.Run))
	}
	w.part = director.Join("bench")
	stops = append(stops, w.part.Leave)
	w.send(do.Control(do.RoleDirector), &wire.AddChannels{Channels: []do.Channel{w.me}})
	w.flush()
	return stop, nil
}

// runUntilStopped runs a role on a goroutine of its own.
func runUntilStopped(run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = run(ctx) // the measurement ends by itself where a role does
	}()
	return func() {
		cancel()
		<-done
	}
}

func (w *dbWorld) send(to do.Channel, b wire.Body) { w.out.SendTo(to, w.me, b) }

func (w *dbWorld) flush() {
	if len(w.out.Messages) > 0 {
		w.part.Route(w.out.Messages)
		w.out.Reset()
	}
}

// answers hands what comes to f until that says enough, or nothing comes for long.
func (w *dbWorld) answers(ctx context.Context, f func(b wire.Body) (enough bool, err error)) error {
	const patience = 30 * time.Second
	for {
		ok, err := w.part.Inbox().Take(&w.batch)
		if err != nil {
			return err
		}
		if ok {
			enough := false
			for _, m := range w.batch {
				if failed, is := m.Body.(*wire.Failed); is {
					return fmt.Errorf("bench: %v: %w", failed.Of, failed.Code.Err(failed.Text))
				}
				if enough, err = f(m.Body); err != nil || enough {
					return err
				}
			}
			continue
		}
		timer := time.NewTimer(patience)
		select {
		case <-w.part.Inbox().Wake():
			timer.Stop()
		case <-timer.C:
			return fmt.Errorf("bench: no answer in %v", patience)
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// value is the value of Gold.
func (w *dbWorld) value(class *do.Class, n int64) fields.Map {
	return fields.MapOf(fields.Pair{Number: class.FieldByName("Gold").Number, Value: fields.AppendInt(nil, n)})
}

// rows makes rows in the backend.
func (w *dbWorld) rows(ctx context.Context, name string, n int) error {
	class := w.schema.Class(name)
	first := uint64(time.Now().UnixNano())
	now := time.Now().UnixMilli()
	for done := 0; done < n; {
		size := min(1000, n-done)
		ops := make([]database.Op, size)
		for i := range ops {
			id := do.NewID(do.Partition((done+i)%int(w.cluster)+1), now, first+uint64(done+i))
			ops[i] = database.Op{Kind: database.OpCreate, ID: id, Class: class, Fields: w.value(class, 1)}
			w.ids = append(w.ids, id)
		}
		results, err := w.backend.Do(ctx, w.schema, ops)
		if err != nil {
			return err
		}
		for _, r := range results {
			if r.Err != nil {
				return r.Err
			}
		}
		done += size
	}
	return nil
}

// wakeUp activates all objects and tells how long it took.
func (w *dbWorld) wakeUp(ctx context.Context) (time.Duration, error) {
	began, left := time.Now(), len(w.ids)
	for i, id := range w.ids {
		w.send(do.ObjectChannel(id), &wire.Activate{Context: uint32(i + 1), DO: id, Class: wire.AnyClass})
	}
	w.flush()
	err := w.answers(ctx, func(b wire.Body) (bool, error) {
		if _, ok := b.(*wire.Done); ok {
			left--
		}
		return left == 0, nil
	})
	return time.Since(began), err
}

func (w *dbWorld) activation(ctx context.Context) (s Sample, err error) {
	if err := w.rows(ctx, "BenchUpdated", w.cfg.Activate); err != nil {
		return s, err
	}
	d, err := w.wakeUp(ctx)
	if err != nil {
		return s, err
	}
	s.Values = map[string]float64{"operations_per_s": float64(len(w.ids)) / d.Seconds(), "all_s": d.Seconds()}
	return s, nil
}

// commit sends sets at a rate, and waits for the disk to have each.
func (w *dbWorld) commit(ctx context.Context, rate int) (s Sample, err error) {
	if err := w.rows(ctx, "BenchUpdated", w.cfg.Objects); err != nil {
		return s, err
	}
	if _, err := w.wakeUp(ctx); err != nil {
		return s, err
	}
	class := w.schema.Class("BenchUpdated")
	total := int(float64(rate) * (w.cfg.Warmup + w.cfg.For).Seconds())
	skip := int(float64(rate) * w.cfg.Warmup.Seconds())
	intended := func(start time.Time, n int) time.Time {
		return start.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	}
	const slice = time.Millisecond
	var h histogram
	var before Usage
	sent, done, measured := 0, 0, 0
	start := time.Now().Add(slice)
	var last time.Time
	tick := time.NewTicker(slice)
	defer tick.Stop()
	for done < total {
		select {
		case <-ctx.Done():
			return s, ctx.Err()
		case <-tick.C:
			now := time.Now()
			for sent < total && !intended(start, sent).After(now) {
				if sent == skip {
					before = ownUsage()
				}
				id := w.ids[sent%len(w.ids)]
				w.send(do.ObjectChannel(id), &wire.SetFields{Context: uint32(sent + 1), DO: id, Durable: true, Fields: w.value(class, int64(sent))})
				sent++
			}
			w.flush()
			if now.Sub(start) > w.cfg.Warmup+w.cfg.For+time.Minute {
				return s, fmt.Errorf("bench: %d of %d updates are not acknowledged a minute after the end", total-done, total)
			}
		case <-w.part.Inbox().Wake():
			if _, err := w.part.Inbox().Take(&w.batch); err != nil {
				return s, err
			}
			now := time.Now()
			for _, m := range w.batch {
				switch b := m.Body.(type) {
				case *wire.Failed:
					return s, fmt.Errorf("bench: %v: %w", b.Of, b.Code.Err(b.Text))
				case *wire.Done:
					done++
					if n := int(b.Context) - 1; n >= skip {
						h.add(now.Sub(intended(start, n)))
						measured++
						last = now
					}
				}
			}
		}
	}
	after := ownUsage()
	took := last.Sub(intended(start, skip)).Seconds()
	s.Values = map[string]float64{
		"operations_per_s": float64(measured) / took,
		"p50_ms":           milliseconds(h.quantile(0.5)), "p99_ms": milliseconds(h.quantile(0.99)),
		"p999_ms": milliseconds(h.quantile(0.999)), "max_ms": milliseconds(h.most),
		"server_cores": (after.CPU() - before.CPU()) / took,
	}
	return s, nil
}

// list reads all rows of a class in pages.
func (w *dbWorld) list(ctx context.Context) (s Sample, err error) {
	class := w.schema.Class("BenchListed")
	have, err := w.count(ctx, class, w.cfg.List)
	if err != nil {
		return s, err
	}
	if err := w.rows(ctx, "BenchListed", w.cfg.List-have); err != nil {
		return s, err
	}
	w.ids = nil
	base, most := heap(), uint64(0)
	began, n, pages := time.Now(), 0, 0
	for after := (do.ID{}); ; {
		w.send(do.Control(do.RoleDatabase), &wire.DBList{Context: 1, Class: class.Number(), After: after, Limit: database.MaxPage})
		w.flush()
		size := 0
		err := w.answers(ctx, func(b wire.Body) (bool, error) {
			found, ok := b.(*wire.DBFound)
			if !ok {
				return false, nil
			}
			if size = len(found.Objects); size > 0 {
				after = found.Objects[size-1].DO
			}
			return true, nil
		})
		if err != nil {
			return s, err
		}
		n, pages = n+size, pages+1
		if pages%20 == 0 {
			most = max(most, heap())
		}
		if size < database.MaxPage {
			break
		}
	}
	took := time.Since(began).Seconds()
	grown := max(0, float64(most)-float64(base))
	s.Values = map[string]float64{"operations_per_s": float64(n) / took, "all_s": took, "heap_growth_mb": grown / 1e6}
	return s, nil
}

// count is how many rows of the class there are, at most enough: those of the run before are used again.
func (w *dbWorld) count(ctx context.Context, class *do.Class, enough int) (n int, err error) {
	for after := (do.ID{}); n < enough; {
		results, err := w.backend.Do(ctx, w.schema, []database.Op{{Kind: database.OpList, Class: class, After: after}})
		if err != nil {
			return 0, err
		}
		rows := results[0].Rows
		if results[0].Err != nil || len(rows) == 0 {
			return n, results[0].Err
		}
		n, after = n+len(rows), rows[len(rows)-1].ID
	}
	return min(n, enough), nil
}

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	return ownUsage().Heap
}
