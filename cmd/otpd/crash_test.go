package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/cmd/otpd/internal/daemon"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/testpg"
	"github.com/otpd/otpd/wire"
)

// make crash runs these for longer.
var (
	crashRounds = flag.Int("crash.rounds", 3, "how often TestCrash kills something")
	crashAway   = flag.Duration("crash.away", 4*time.Second, "for how long TestDatabaseAway stops PostgreSQL")
	crashSeed   = flag.Uint64("crash.seed", 0, "of the moments of TestCrash; 0: a random one")
)

// Coffer is what the load of the crash tests commits and trades with. Count is written by one worker alone, so what was
// acknowledged is a lower bound for it; Trades counts on both sides of each trade.
type Coffer struct {
	do.Object
	Gold   int64 `do:"required,db,broadcast"`
	Count  int64 `do:"required,db"`
	Trades int64 `do:"required,db"`
}

const (
	cofferCount = 8
	cofferGold  = 1000
)

// bank is a daemon on a PostgreSQL, and the load on them.
type bank struct {
	t      *testing.T
	pg     *testpg.Server
	url    string
	data   string
	s      *server
	random *rand.Rand

	r    *ai.Repository
	end  func()
	done <-chan struct{} // the repository has ended
	ids  []do.ID

	mu sync.Mutex
	// Guarded by mu.
	acked   [cofferCount]int64 // Count, as it was acknowledged
	traded  [cofferCount]int64 // Trades, acknowledged
	commits int
	trades  int
	asked   int // trades that may or may not have been done
	misses  int // trades that found other values than they expected
}

func newBank(t *testing.T, seed uint64) *bank {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	pg, err := testpg.Start(ctx, testpg.WithFsync())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pg.Stop()) })
	url, err := pg.NewDatabase(ctx, "bank")
	require.NoError(t, err)
	b := &bank{t: t, pg: pg, url: url, data: t.TempDir(), random: rand.New(rand.NewPCG(seed, 1))}
	b.startDaemon()
	b.connect()
	b.handle(func(ctx context.Context) error {
		for i := range cofferCount {
			p := do.New[Coffer]()
			p.Gold = cofferGold
			id, err := b.r.CreateStored(ctx, p, ai.Place{Partition: do.Partition(i + 1)})
			if err != nil {
				return err
			}
			b.ids = append(b.ids, id)
		}
		return nil
	})
	b.wake()
	return b
}

func (b *bank) startDaemon() {
	for _, name := range []string{daemon.ReadyFile, daemon.PinFile, daemon.JoinFile, daemon.AdminFile} {
		_ = os.Remove(filepath.Join(b.data, name)) // what a killed one left
	}
	var args []string
	if b.url != "" {
		args = append(args, "--db="+b.url)
	}
	b.s = serve(b.t, b.data, args...)
}

// connect joins as an AI. What it made is dead with the daemon.
func (b *bank) connect() {
	registry := do.NewRegistry()
	require.NoError(b.t, registry.Class(Coffer{}))
	b.r = joined(b.t, b.s.join, "bank", registry, patience)
	b.end, b.done = drive(b.t, b.r.Run)
}

func (b *bank) handle(fn func(context.Context) error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	require.NoError(b.t, b.r.DoWait(ctx, fn))
}

// wake activates half of the coffers; the others are traded with as they lie in the database.
func (b *bank) wake() {
	b.handle(func(ctx context.Context) error {
		for _, id := range b.ids[:cofferCount/2] {
			if _, err := b.r.Activate(ctx, id, ai.Place{}); err != nil {
				return err
			}
		}
		return nil
	})
}

// load runs workers until the function that it returns is called.
func (b *bank) load() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	work := func(fn func(ctx context.Context) error) {
		wg.Go(func() {
			for ctx.Err() == nil {
				err := b.r.DoWait(context.Background(), fn)
				switch {
				case err == nil || errors.Is(err, wire.CodeConflict):
				case b.ended():
					return
				default:
					time.Sleep(10 * time.Millisecond) // the daemon is gone, and it is not noticed yet
				}
			}
		})
	}
	for i := range cofferCount / 2 {
		work(func(ctx context.Context) error { return b.commit(ctx, i) })
	}
	for w := range 4 {
		random := rand.New(rand.NewPCG(b.random.Uint64(), uint64(w)))
		work(func(ctx context.Context) error { return b.trade(ctx, random) })
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

func (b *bank) ended() bool {
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}

// commit counts one coffer up, durably.
func (b *bank) commit(ctx context.Context, i int) error {
	p := ai.Find[Coffer](b.r, b.ids[i])
	if p == nil {
		return ai.ErrNoObject
	}
	p.Count++
	n := p.Count
	err := p.Commit(ctx)
	if err == nil {
		b.mu.Lock()
		b.acked[i] = max(b.acked[i], n)
		b.commits++
		b.mu.Unlock()
	}
	return err
}

// trade moves gold from one coffer to another, of which each is here or is a row.
func (b *bank) trade(ctx context.Context, random *rand.Rand) error {
	from := random.IntN(cofferCount)
	to := (from + 1 + random.IntN(cofferCount-1)) % cofferCount
	payer, err := b.coffer(ctx, from)
	if err != nil {
		return err
	}
	payee, err := b.coffer(ctx, to)
	if err != nil {
		return err
	}
	amount := 1 + random.Int64N(20)
	err = b.r.Transact(ctx, func() error {
		payer.Gold, payee.Gold = payer.Gold-amount, payee.Gold+amount
		payer.Trades, payee.Trades = payer.Trades+1, payee.Trades+1
		return nil
	}, &payer.Object, &payee.Object)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil:
		b.traded[from]++
		b.traded[to]++
		b.trades++
	case errors.Is(err, wire.CodeConflict):
		b.misses++
	default:
		b.asked++
	}
	return err
}

func (b *bank) coffer(ctx context.Context, i int) (*Coffer, error) {
	if p := ai.Find[Coffer](b.r, b.ids[i]); p != nil {
		return p, nil
	}
	row, err := ai.Load[Coffer](ctx, b.r, b.ids[i])
	return row.Object, err
}

// audit reads the rows past otpd: every acknowledged commit and trade is there, no trade is half done.
func (b *bank) audit(what string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, b.url)
	require.NoError(b.t, err)
	defer conn.Close(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	sum, sides := int64(0), int64(0)
	for i, id := range b.ids {
		var gold, count, trades int64
		require.NoError(b.t, conn.QueryRow(ctx, `SELECT "Gold", "Count", "Trades" FROM "Coffer" WHERE otpd_id = $1`, [16]byte(id)).
			Scan(&gold, &count, &trades))
		require.GreaterOrEqual(b.t, count, b.acked[i], "%s: an acknowledged commit of coffer %d is lost", what, i)
		require.GreaterOrEqual(b.t, trades, b.traded[i], "%s: an acknowledged trade of coffer %d is lost", what, i)
		sum, sides = sum+gold, sides+trades
	}
	require.EqualValues(b.t, cofferCount*cofferGold, sum, "%s: the sum of the gold", what)
	require.Zero(b.t, sides%2, "%s: a trade is half done", what)
	require.LessOrEqual(b.t, int64(b.trades), sides/2, what)
	require.LessOrEqual(b.t, sides/2, int64(b.trades+b.asked), "%s: a trade was done twice", what)
}

// progress waits until so many more commits and trades have been acknowledged.
func (b *bank) progress(n int) {
	b.t.Helper()
	commits, trades := b.counts()
	require.Eventually(b.t, func() bool {
		c, t := b.counts()
		return c >= commits+n && t >= trades+n
	}, patience, 5*time.Millisecond, "the load does not go on")
}

func (b *bank) counts() (commits, trades int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.commits, b.trades
}

// kill ends the daemon as a crash would. The load notices; what it waited for has no answer.
func (b *bank) kill() {
	b.s.signal(syscall.SIGKILL)
	b.s.wait()
	b.end()
}

// TestCrash kills the daemon, PostgreSQL, or both, at random moments under a load of commits and trades.
func TestCrash(t *testing.T) {
	t.Parallel()
	seed := *crashSeed
	for seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat with -args -crash.seed=%d", seed)
	b := newBank(t, seed)
	for round := range *crashRounds {
		what := []string{"daemon", "PostgreSQL", "both"}[round%3]
		name := fmt.Sprintf("round %d, %s killed", round+1, what)
		stop := b.load()
		b.progress(3)
		time.Sleep(time.Duration(b.random.Int64N(int64(500 * time.Millisecond)))) // the moment is what is random
		if what != "daemon" {
			require.NoError(t, b.pg.Kill())
		}
		if what != "PostgreSQL" {
			b.kill()
			stop()
		}
		if what != "daemon" {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			require.NoError(t, b.pg.Restart(ctx))
			cancel()
		}
		if what == "PostgreSQL" {
			b.progress(3)
			stop()
			b.audit(name)
			continue
		}
		b.audit(name + ", before it is started again")
		b.startDaemon()
		b.connect()
		b.wake()
		stop = b.load()
		b.progress(3)
		stop()
		b.audit(name)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	t.Logf("%d rounds: %d commits and %d trades acknowledged, %d trades found other values, %d had no answer; all there, %d gold",
		*crashRounds, b.commits, b.trades, b.misses, b.asked, cofferCount*cofferGold)
}

// ready is what /readyz answers.
func (b *bank) ready() int {
	resp, err := http.Get("http://" + b.s.admin + "/readyz")
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// TestDatabaseAway stops PostgreSQL under load, then starts it: no session is lost, nothing is lost, and the writes are
// in time again.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	b := newBank(t, 1)
	first := start(t, nil, hello(t), "ai", b.s.join)
	b.s.until(func() bool { return len(b.s.truth()) == cofferCount/2+2 }, "the square and its bell")
	w := watch(t, b.s)
	w.look()
	w.hears("generate", 1)
	stop := b.load()
	b.progress(3)
	require.Equal(t, http.StatusOK, b.ready())

	require.NoError(t, b.pg.Kill())
	b.s.until(func() bool { return b.ready() == http.StatusServiceUnavailable }, "readyz says so")
	b.s.until(func() bool { return b.s.metric("otpd_database_away") == 1 }, "the metrics say so")
	require.Contains(t, b.s.errs.String(), "database: away")
	time.Sleep(*crashAway) // what is tested is the time itself
	start(t, nil, hello(t), "ring", b.s.pin, b.s.addr, "Flippy").says("rung 1 times")
	w.hears("rings 1", 1) // the world goes on

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, b.pg.Restart(ctx))
	back := time.Now()
	b.progress(3)
	lag := func() (most float64) {
		for state := 1; state <= 4; state++ {
			most = max(most, b.s.metric(fmt.Sprintf(`otpd_write_lag_seconds{state="%d"}`, state)))
		}
		return most
	}
	b.s.until(func() bool { return b.ready() == http.StatusOK && lag() < 0.1 }, "the write lag is as before")
	t.Logf("away for %v; the write lag was below 0.1 s again after %v", *crashAway, time.Since(back).Round(time.Millisecond))
	stop()
	b.audit("after the database was away")
	require.False(t, b.ended(), "the AI's link was lost")
	select {
	case err := <-w.ended:
		require.Fail(t, "the session was lost", "%v", err)
	default:
	}
	require.Len(t, b.s.truth(), cofferCount/2+2)
	first.signal(syscall.SIGKILL)
}
