package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/otpd/otpd/internal/link"
)

// FloorMethod is how the limits of the machine are measured.
const FloorMethod = "What the machine can do at all, in the same run: copying 16 MB in memory; a loopback TCP connection written with writev (64 " +
	"pieces of 1,200 bytes) and a QUIC stream of quic-go written 64 KB at a time, both counted by the reader; two clients that each send 16 " +
	"bytes ten times a second to an echo of nothing but quic-go, timed from the intended time of sending; and two clients of otpd in one zone at the same rate."

// What a client of a bare server may want instead of a zone, by ALPN.
const (
	alpnFlood = "otpd-bench-flood"
	alpnEcho  = "otpd-bench-echo"
)

const echoSize = 16

// serveFlood writes until the client has enough.
func serveFlood(stream *quic.Stream) error {
	if _, err := stream.Read(make([]byte, 1)); err != nil {
		return err
	}
	chunk := make([]byte, 64<<10)
	for {
		if _, err := stream.Write(chunk); err != nil {
			return err
		}
	}
}

// serveEcho sends back what comes.
func serveEcho(stream *quic.Stream) error {
	buf := make([]byte, 4096)
	for {
		n, err := stream.Read(buf)
		if err != nil {
			return err
		}
		if _, err := stream.Write(buf[:n]); err != nil {
			return err
		}
	}
}

// writevPieces is what one writev takes.
const writevPieces, writevPiece = 64, 1200

// floodTCP writes to a TCP connection until the client closes it.
func floodTCP(conn net.Conn) error {
	defer conn.Close()
	one := make([]byte, writevPiece)
	pieces := make(net.Buffers, writevPieces)
	for {
		left := pieces
		for i := range left {
			left[i] = one
		}
		if _, err := left.WriteTo(conn); err != nil {
			return err
		}
	}
}

// FloorConfig says for how long.
type FloorConfig struct {
	For    time.Duration // of each row
	Warmup time.Duration // of zone and echo
}

// Jobs are the rows.
func (c FloorConfig) Jobs(start *Launcher) ([]Job, error) {
	if c.For <= 0 || c.For > time.Hour || c.Warmup < 0 || c.Warmup > time.Hour {
		return nil, fmt.Errorf("for %v after %v: %w", c.For, c.Warmup, ErrConfig)
	}
	bare := func(f func(context.Context, Info) (Sample, error)) func(context.Context) (Sample, error) {
		return func(ctx context.Context) (Sample, error) {
			return start.With(ctx, ServerConfig{Bare: true}, func(i Info) (Sample, error) { return f(ctx, i) })
		}
	}
	zone := ZoneConfig{Clients: 2, Hz: echoHz, For: c.For, Warmup: c.Warmup, Core: start.Core()}
	return []Job{
		{Name: "memory copy, 16 MB", Run: func(context.Context) (Sample, error) { return rate(copyFor(c.For)), nil }},
		{Name: "TCP loopback, writev of 64 x 1,200 bytes", Run: bare(func(ctx context.Context, i Info) (Sample, error) { return readTCP(ctx, i, c.For) })},
		{Name: "QUIC stream, loopback", Run: bare(func(ctx context.Context, i Info) (Sample, error) { return readQUIC(ctx, i, c.For) })},
		{
			Name: "QUIC echo, 2 clients at 10 Hz", Settings: map[string]float64{"clients": 2, "hz": echoHz},
			Run: bare(func(ctx context.Context, i Info) (Sample, error) { return echo(ctx, i, c.Warmup, c.For) }),
		},
		{
			Name: "otpd, 2 clients at 10 Hz in one zone", Settings: map[string]float64{"clients": 2, "hz": echoHz},
			Run: func(ctx context.Context) (Sample, error) {
				return start.With(ctx, ServerConfig{}, func(i Info) (Sample, error) {
					r, err := Zone(ctx, zone, i)
					if err != nil {
						return Sample{}, err
					}
					return r.Sample(), nil
				})
			},
		},
	}, nil
}

func rate(bytes uint64, d time.Duration) Sample {
	return Sample{Values: map[string]float64{"mb_per_s": float64(bytes) / 1e6 / d.Seconds()}}
}

func copyFor(d time.Duration) (bytes uint64, took time.Duration) {
	from, to := make([]byte, 16<<20), make([]byte, 16<<20)
	for i := range from {
		from[i] = byte(i)
	}
	copy(to, from) // both are in memory now
	begin := time.Now()
	for took < d {
		bytes += uint64(copy(to, from))
		took = time.Since(begin)
	}
	return bytes, took
}

// readFor reads for a time, once something has come.
func readFor(r io.Reader, d time.Duration) (Sample, error) {
	buf := make([]byte, 1<<20)
	if _, err := r.Read(buf); err != nil {
		return Sample{}, fmt.Errorf("bench: %w", err)
	}
	begin := time.Now()
	var bytes uint64
	for time.Since(begin) < d {
		n, err := r.Read(buf)
		if err != nil {
			return Sample{}, fmt.Errorf("bench: %w", err)
		}
		bytes += uint64(n)
	}
	return rate(bytes, time.Since(begin)), nil
}

func readTCP(ctx context.Context, server Info, d time.Duration) (Sample, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", server.TCP)
	if err != nil {
		return Sample{}, fmt.Errorf("bench: %w", err)
	}
	defer conn.Close()
	return readFor(conn, d)
}

// dialBare opens a stream of a bare server for one of its services.
func dialBare(ctx context.Context, server Info, alpn string) (*quic.Conn, *quic.Stream, error) {
	pin, err := server.pin()
	if err != nil {
		return nil, nil, err
	}
	config := link.Pinned(pin)
	config.NextProtos = []string{alpn}
	conn, err := quic.DialAddr(ctx, server.Addrs[0], config, &quic.Config{})
	if err != nil {
		return nil, nil, fmt.Errorf("bench: %w", err)
	}
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("bench: %w", err), conn.CloseWithError(0, ""))
	}
	return conn, stream, nil
}

func readQUIC(ctx context.Context, server Info, d time.Duration) (Sample, error) {
	conn, stream, err := dialBare(ctx, server, alpnFlood)
	if err != nil {
		return Sample{}, err
	}
	if _, err := stream.Write([]byte{1}); err != nil {
		return Sample{}, errors.Join(err, conn.CloseWithError(0, ""))
	}
	s, err := readFor(stream, d)
	return s, errors.Join(err, conn.CloseWithError(0, ""))
}

const echoHz = 10

// echo has two clients, half a period apart.
func echo(ctx context.Context, server Info, warmup, d time.Duration) (Sample, error) {
	var wg sync.WaitGroup
	both, errs := make([]histogram, 2), make([]error, 2)
	const period = time.Second / echoHz
	begin := time.Now().Add(10 * time.Millisecond)
	for i := range both {
		wg.Go(func() { errs[i] = echoOne(ctx, server, begin.Add(period*time.Duration(i)/2), warmup, d, &both[i]) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return Sample{}, err
	}
	both[0].merge(&both[1])
	h := &both[0]
	return Sample{Values: map[string]float64{
		"p50_ms": milliseconds(h.quantile(0.5)), "p99_ms": milliseconds(h.quantile(0.99)),
		"p999_ms": milliseconds(h.quantile(0.999)), "max_ms": milliseconds(h.most),
	}}, nil
}

func echoOne(ctx context.Context, server Info, begin time.Time, warmup, d time.Duration, h *histogram) (err error) {
	conn, stream, err := dialBare(ctx, server, alpnEcho)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.CloseWithError(0, "")) }()
	t, err := newTimer()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	var message, answer [echoSize]byte
	for due := begin; due.Before(begin.Add(warmup + d)); due = due.Add(time.Second / echoHz) {
		if err := errors.Join(t.until(due), ctx.Err()); err != nil {
			return err
		}
		binary.BigEndian.PutUint64(message[:], uint64(due.UnixNano()))
		if _, err := stream.Write(message[:]); err != nil {
			return fmt.Errorf("bench: echo: %w", err)
		}
		if _, err := io.ReadFull(stream, answer[:]); err != nil {
			return fmt.Errorf("bench: echo: %w", err)
		}
		if answer != message {
			return errors.New("bench: the echo is of something else")
		}
		if !due.Before(begin.Add(warmup)) {
			h.add(time.Since(due))
		}
	}
	return nil
}
