package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// IdleMethod is how sessions that do nothing are measured.
const IdleMethod = "Established sessions, each with an object of its own and an open interest in a zone where nobody else is. Memory is the growth of the " +
	"server's resident memory from before the first session, after a collection that gives back what is free; CPU is what the server uses for all of them " +
	"while they say nothing, but for QUIC's keep-alives."

// IdleConfig says how many sessions.
type IdleConfig struct {
	Sessions []int
	For      time.Duration
}

// Jobs are the rows.
func (c IdleConfig) Jobs(start *Launcher) (jobs []Job, err error) {
	for _, n := range c.Sessions {
		if n < 1 || n > 10_000 || c.For <= 0 || c.For > time.Hour {
			return nil, fmt.Errorf("%d sessions for %v: want 1 to 10000: %w", n, c.For, ErrConfig)
		}
		jobs = append(jobs, Job{
			Name: fmt.Sprintf("%d idle sessions", n), Settings: map[string]float64{"sessions": float64(n)},
			Run: func(ctx context.Context) (Sample, error) {
				return start.With(ctx, ServerConfig{}, func(i Info) (Sample, error) { return idle(ctx, i, n, c.For) })
			},
		})
	}
	return jobs, nil
}

func idle(ctx context.Context, server Info, sessions int, d time.Duration) (s Sample, err error) {
	l, err := newLoad(ctx, ZoneConfig{Clients: sessions, Zones: sessions})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	var before, after, end Usage
	if err := get(ctx, server.Control, "/usage?collect", &before); err != nil {
		return s, err
	}
	begin := time.Now()
	if err := l.enterAll(server); err != nil {
		return s, err
	}
	entered := time.Since(begin)
	if err := l.wait(l.now() + d/2); err != nil { // what coming in left behind settles
		return s, err
	}
	// The server's count of sessions is a copy that is made now and then.
	for end := l.now() + settleTime; after.Joined != sessions && l.now() < end; {
		if err := errors.Join(l.wait(l.now()+20*time.Millisecond), get(ctx, server.Control, "/usage?collect", &after)); err != nil {
			return s, err
		}
	}
	if err := l.wait(l.now() + d); err != nil {
		return s, err
	}
	if err := get(ctx, server.Control, "/usage", &end); err != nil {
		return s, err
	}
	if after.Joined != sessions || end.Joined != sessions {
		return s, fmt.Errorf("bench: of %d sessions there are %d, then %d", sessions, after.Joined, end.Joined)
	}
	n := float64(sessions)
	v := map[string]float64{
		"sessions": n, "enter_s": entered.Seconds(), "heap_bytes_per_session": (float64(after.Heap) - float64(before.Heap)) / n,
		"goroutines_per_session": float64(after.Gos-before.Gos) / n,
	}
	s = Sample{Values: v}
	if server.PID == os.Getpid() {
		s.Notes = append(s.Notes, noteTogether)
		return s, nil
	}
	if after.RSS > 0 {
		v["bytes_per_session"], v["server_rss_mb"] = (float64(after.RSS)-float64(before.RSS))/n, float64(after.RSS)/1e6
	}
	v["cpu_us_per_session_s"] = (end.CPU() - after.CPU()) * 1e6 / n / (float64(end.Unix-after.Unix) / 1e9)
	return s, nil
}
