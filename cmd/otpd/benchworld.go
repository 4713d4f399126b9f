package main

import (
	"time"

	"github.com/otpd/otpd/cmd/otpd/internal/bench"
)

// benchMixedCmd is `otpd bench mixed`.
type benchMixedCmd struct {
	Clients []int         `default:"500" help:"Clients. Several numbers make several rows."`
	Zones   int           `default:"1000" help:"Zones of the grid, about as wide as high."`
	Hz      int           `default:"10" help:"Positions a second of each client."`
	Step    time.Duration `default:"2s" help:"A client steps into a neighbouring zone once in this time."`
	Say     time.Duration `default:"5s" help:"It says something once in this time."`
	Ask     time.Duration `default:"5s" help:"It calls an AI once in this time."`
	For     time.Duration `default:"10s" help:"Measured time."`
	Warmup  time.Duration `default:"2s" help:"Time under load before it."`
	Agents  int           `default:"1" help:"Client agents of the server."`
	benchPlace
	benchRuns
}

// Run measures.
func (c *benchMixedCmd) Run() error {
	return measureOn(c.benchPlace, c.benchRuns, "mixed", bench.MixedMethod, bench.MixedConfig{
		Clients: c.Clients, Zones: c.Zones, Hz: c.Hz, StepEvery: c.Step, SayEvery: c.Say, AskEvery: c.Ask, For: c.For, Warmup: c.Warmup, Agents: c.Agents,
	})
}

// benchIdleCmd is `otpd bench idle`.
type benchIdleCmd struct {
	Sessions []int         `default:"1000" help:"Sessions. Several numbers make several rows."`
	For      time.Duration `default:"5s" help:"Time in which CPU is measured, after half of it has passed."`
	benchPlace
	benchRuns
}

// Run measures.
func (c *benchIdleCmd) Run() error {
	return measureOn(c.benchPlace, c.benchRuns, "idle", bench.IdleMethod, bench.IdleConfig{Sessions: c.Sessions, For: c.For})
}

// benchLoginCmd is `otpd bench login`.
type benchLoginCmd struct {
	Clients int      `default:"200" help:"Clients that want in."`
	Rate    int      `help:"So many want to begin each second; 0: all at once."`
	AtOnce  int      `default:"100" help:"Handshakes and calls under way."`
	Way     []string `default:"gate,password,token" enum:"gate,password,token" help:"How they come in: without an account, by password, by token."`
	benchPlace
	benchRuns
}

// Run measures.
func (c *benchLoginCmd) Run() error {
	return measureOn(c.benchPlace, c.benchRuns, "login", bench.LoginMethod, bench.LoginConfig{Clients: c.Clients, Rate: c.Rate, AtOnce: c.AtOnce, Ways: c.Way})
}

// measureOn measures what needs servers.
func measureOn(place benchPlace, runs benchRuns, name, method string, cfg interface {
	Jobs(*bench.Launcher) ([]bench.Job, error)
},
) error {
	ctx, stop := benchContext()
	defer stop()
	start, err := place.launcher()
	if err != nil {
		return err
	}
	jobs, err := cfg.Jobs(start)
	if err != nil {
		return benchError(err)
	}
	return runs.measure(ctx, name, method, jobs)
}
