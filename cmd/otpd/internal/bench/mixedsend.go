package bench

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// measure lets the walkers walk, and reads what both sides use.
func (w *walk) measure(server Info, walkers []*walker) (s Sample, err error) {
	l := w.load
	begin := (l.now() + 10*time.Millisecond).Truncate(time.Microsecond)
	from := begin + w.Warmup
	l.to.Store(int64(from + w.For))
	l.from.Store(int64(from))
	var wg sync.WaitGroup
	for i := range min(maxPacers, len(walkers)) {
		wg.Go(func() {
			if err := w.pace(walkers, i, begin); err != nil {
				l.ended(err)
			}
		})
	}
	var before, after snapshot
	if err = l.wait(from); err == nil {
		if before, err = l.snapshot(server); err == nil {
			if err = l.wait(from + w.For); err == nil {
				after, err = l.snapshot(server)
			}
		}
	}
	l.to.Store(min(l.to.Load(), int64(max(l.now(), from)))) // pacers stop, also after an error
	wg.Wait()
	if err == nil {
		err = l.wait(l.now() + drainTime/4)
	}
	if err != nil {
		return s, err
	}
	r := &Result{Separate: server.PID != os.Getpid(), Server: Side{Core: server.Pinned}}
	r.used(before, after)
	v := map[string]float64{"client_cores": r.ClientSide.Cores}
	if r.OthersCores >= 0 {
		v["others_cores"] = r.OthersCores
	}
	if r.Separate {
		v["server_cores"], v["server_rss_mb"] = r.Server.Cores, float64(r.Server.RSS)/1e6
		v["server_cpu_s"] = r.Server.CPU
		v["server_allocs"] = float64(after.server.Allocs - before.server.Allocs)
	}
	w.mu.Lock()
	r.LateP99 = milliseconds(w.late.quantile(0.99))
	w.mu.Unlock()
	r.LimitedByClients = r.ClientSide.Cores >= fullCores*float64(r.ClientSide.Procs) || r.LateP99 > lateMS
	v["late_p99_ms"] = r.LateP99
	return Sample{Values: v, Limited: r.LimitedByClients, Notes: r.notes()}, nil
}

// latencies adds what the readers counted; all have ended.
func (w *walk) latencies(walkers []*walker, v map[string]float64) {
	var positions, chats, calls, alters histogram
	n := uint64(0)
	for _, k := range walkers {
		positions.merge(&k.positions)
		chats.merge(&k.chats)
		calls.merge(&k.calls)
		alters.merge(&k.alters)
		n += k.deliveries
	}
	v["deliveries"], v["deliveries_per_s"] = float64(n), float64(n)/w.For.Seconds()
	v["updates"] = float64(w.updates)
	v["p50_ms"], v["p99_ms"] = milliseconds(positions.quantile(0.5)), milliseconds(positions.quantile(0.99))
	v["p999_ms"], v["max_ms"] = milliseconds(positions.quantile(0.999)), milliseconds(positions.most)
	for name, h := range map[string]*histogram{"chat": &chats, "call": &calls, "open": &alters} {
		v[name+"_p50_ms"], v[name+"_p99_ms"] = milliseconds(h.quantile(0.5)), milliseconds(h.quantile(0.99))
	}
	if cpu, ok := v["server_cpu_s"]; ok && n > 0 {
		v["server_cpu_s_per_million"] = cpu / float64(n) * 1e6
		v["server_allocs_per_delivery"] = v["server_allocs"] / float64(n)
	}
	delete(v, "server_cpu_s")
	delete(v, "server_allocs")
}

// pace sends for every maxPacers-th walker from the i-th on.
func (w *walk) pace(walkers []*walker, i int, begin time.Duration) (err error) {
	t, err := newTimer()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	var mine []*walker
	for j := i; j < len(walkers); j += maxPacers {
		mine = append(mine, walkers[j])
	}
	var late histogram
	updates := uint64(0)
	defer func() {
		w.mu.Lock()
		w.late.merge(&late)
		w.updates += updates
		w.mu.Unlock()
	}()
	period := time.Second / time.Duration(w.Hz)
	for k := 0; ; k++ {
		one, round := k%len(mine), k/len(mine)
		phase := period * time.Duration(one*maxPacers+i) / time.Duration(len(walkers))
		due := (begin + phase + time.Duration(round)*period).Truncate(time.Microsecond)
		if err := t.until(w.load.zero.Add(due)); err != nil {
			return err
		}
		from, to := w.load.window()
		if due >= to || w.load.ctx.Err() != nil {
			return nil
		}
		if due >= from {
			updates++
			late.add(w.load.now() - due)
		}
		if err := mine[one].act(due); err != nil {
			return err
		}
	}
}

// chance is drawn for what a walker does once in so long, on average.
func (k *walker) chance(every time.Duration) bool {
	return rand.Float64() < 1/(every.Seconds()*float64(k.w.Hz))
}

// act sends one round of what a walker does, in one write.
func (k *walker) act(due time.Duration) error {
	k.n++
	k.value = appendStamp(k.value[:0], due, uint16(k.n))
	k.frame = k.appendSet(k.frame[:0], k.w.pos, k.value)
	if k.chance(k.w.SayEvery) {
		k.frame = k.appendSet(k.frame, k.w.say, appendChat(k.value[:0], due))
	}
	if k.chance(k.w.AskEvery) {
		k.next++
		// The gate's call had the number 1.
		call := k.next + 1
		k.expect(call, due)
		k.frame = wire.AppendFrame(k.frame, &wire.ClientCall{
			Call: call, Ref: k.set.Ref, Field: k.w.ask, Timeout: 30_000, Args: fields.AppendUint(nil, uint64(call)),
		})
	}
	if k.chance(k.w.StepEvery) {
		k.frame = k.step(k.frame, due)
	}
	_, err := k.p.conn.Write(k.frame)
	return err
}

// expect books when a request was meant to be sent.
func (k *walker) expect(id uint32, due time.Duration) {
	k.mu.Lock()
	k.asked[id] = due
	k.mu.Unlock()
}

func (k *walker) appendSet(dst []byte, field fields.Number, value []byte) []byte {
	k.next++
	k.set.Context = k.next
	k.set.Fields = fields.AppendMapHeader(k.set.Fields[:0], 1)
	k.set.Fields = fields.AppendUint(k.set.Fields, uint64(field))
	k.set.Fields = append(k.set.Fields, value...)
	return wire.AppendFrame(dst, &k.set)
}

// step moves to a neighbouring cell, and the view with it.
func (k *walker) step(dst []byte, due time.Duration) []byte {
	col, row := k.cell%k.w.cells.cols, k.cell/k.w.cells.cols
	if rand.IntN(2) == 0 {
		col = beside(col, k.w.cells.cols)
	} else {
		row = beside(row, k.w.cells.rows)
	}
	k.cell = row*k.w.cells.cols + col
	k.next++
	dst = wire.AppendFrame(dst, &wire.ClientMove{
		Context: k.next, Ref: k.set.Ref, Location: do.Location{Parent: yardID(), Zone: k.zone()}, Fields: fields.EmptyMap(),
	})
	i := k.interest()
	k.expect(i.Context, due)
	return wire.AppendFrame(dst, i)
}

// beside is one more or one less, within 0 to n-1.
func beside(i, n int) int {
	if i == 0 || i < n-1 && rand.IntN(2) == 0 {
		return i + 1
	}
	return i - 1
}

// A line of chat begins with the intended time of sending, in microseconds.
const stampDigits = 12

var chatText = strings.Repeat("blah ", 8)

func appendChat(dst []byte, due time.Duration) []byte {
	return fields.AppendString(dst, fmt.Sprintf("%0*d %s", stampDigits, due.Microseconds(), chatText))
}
