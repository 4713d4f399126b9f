package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/otpd/otpd/cmd/otpd/internal/bench"
)

// benchLoad is what clients do, in every command that runs some in zones.
type benchLoad struct {
	Clients  []int         `default:"50" help:"Clients. Several numbers, here and below, make a row of each combination."`
	Zones    []int         `default:"1" help:"Zones that they are dealt out over."`
	Hz       []float64     `default:"10" help:"Updates a second of each client."`
	Highest  time.Duration `placeholder:"P99" help:"Look for the highest rate whose p99 stays below this, instead."`
	For      time.Duration `default:"10s" help:"Measured time."`
	Warmup   time.Duration `default:"2s" help:"Time under load before it."`
	Stall    []int         `default:"0" help:"So many of the clients stop to read when the measured time begins."`
	Coalesce bool          `help:"Set a latest field, by datagrams: an agent coalesces its values for a client that is behind."`
	Both     bool          `help:"Each row twice: without and with coalescing."`
	Ack      bool          `default:"true" negatable:"" help:"Ask for an acknowledgement of each update, as game clients do."`
}

// rows are what is asked for, against servers of a number of agents.
func (l benchLoad) rows(shape benchShape) bench.ZoneRows {
	return bench.ZoneRows{
		Clients: l.Clients, Zones: l.Zones, Hz: l.Hz, Highest: l.Highest, Coalesce: l.Coalesce, Both: l.Both,
		Stall: l.Stall, Agents: shape.Agents, States: shape.States, Flush: shape.Flush,
		Base: bench.ZoneConfig{For: l.For, Warmup: l.Warmup, NoAck: !l.Ack},
	}
}

// benchShape is how a server is built.
type benchShape struct {
	Agents []int         `default:"1" help:"Client agents of the server."`
	States int           `default:"4" help:"State servers of the server."`
	Flush  time.Duration `default:"5ms" help:"How long a bare server gathers; 0: not at all."`
}

func (c benchShape) serverConfig() bench.ServerConfig {
	cfg := bench.ServerConfig{States: c.States, Flush: c.Flush, Core: -1, Log: logger(slog.LevelWarn.String(), "auto")}
	if len(c.Agents) > 0 {
		cfg.Agents = c.Agents[0]
	}
	return cfg
}

// benchZoneCmd is `otpd bench zone`.
type benchZoneCmd struct {
	benchLoad
	benchShape
	benchPlace
	benchRuns
	Bare      bool    `help:"Each row against a server of nothing but quic-go, too: the floor."`
	BesideOne float64 `placeholder:"HZ" help:"Beside each row of several zones one of as many deliveries in one zone, by clients of this rate."`
	Profile   string  `type:"path" placeholder:"FILE" help:"Take a CPU profile of the server in the measured time of the last run."`
}

// Run measures.
func (c *benchZoneCmd) Run() error {
	ctx, stop := benchContext()
	defer stop()
	start, err := c.launcher()
	if err != nil {
		return err
	}
	rows := c.rows(c.benchShape)
	rows.Bare, rows.BesideOne, rows.Base.Profile = c.Bare, c.BesideOne, c.Profile
	jobs, err := rows.Jobs(start)
	if err != nil {
		return benchError(err)
	}
	return c.measure(ctx, "zone", bench.ZoneMethod, jobs)
}

// benchClientsCmd is `otpd bench clients`.
type benchClientsCmd struct {
	benchLoad
	benchRuns
	Server string `required:"" placeholder:"HOST:PORT" help:"Control address of a bench server."`
}

// Run measures.
func (c *benchClientsCmd) Run() error {
	ctx, stop := benchContext()
	defer stop()
	start := &bench.Launcher{Running: func(ctx context.Context) (bench.Info, error) { return bench.Ask(ctx, c.Server) }}
	if err := start.Prepare(); err != nil {
		return err
	}
	jobs, err := c.rows(benchShape{}).Jobs(start)
	if err != nil {
		return benchError(err)
	}
	return c.measure(ctx, "clients", bench.ZoneMethod, jobs)
}

// benchFloorCmd is `otpd bench floor`.
type benchFloorCmd struct {
	For    time.Duration `default:"5s" help:"Measured time of each row."`
	Warmup time.Duration `default:"1s" help:"Time under load before it, where there is a rate."`
	benchPlace
	benchRuns
}

// Run measures.
func (c *benchFloorCmd) Run() error {
	return measureOn(c.benchPlace, c.benchRuns, "floor", bench.FloorMethod, bench.FloorConfig{For: c.For, Warmup: c.Warmup})
}
