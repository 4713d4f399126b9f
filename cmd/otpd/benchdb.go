package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/otpd/otpd/cmd/otpd/internal/bench"
	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/database/sqldb"
)

// benchDBCmd is `otpd bench db`.
type benchDBCmd struct {
	DB       string        `required:"" placeholder:"URL" help:"The database: postgres://... or sqlite:PATH. Its own tables BenchUpdated and BenchListed are made in it, and stay."`
	Rate     []int         `default:"2000,20000" help:"Durable updates a second. Several numbers make a row of each."`
	Objects  int           `default:"20000" help:"Objects that are updated in turn."`
	Activate int           `default:"10000" help:"Objects that are brought to life at once; 0: not measured."`
	List     int           `default:"100000" help:"Objects that are listed in pages; 0: not measured."`
	For      time.Duration `default:"10s" help:"Measured time of each rate."`
	Warmup   time.Duration `default:"2s" help:"Time under load before it."`
	benchRuns
}

// Run measures.
func (c *benchDBCmd) Run() error {
	ctx, stop := benchContext()
	defer stop()
	workers := 4
	if strings.HasPrefix(c.DB, "sqlite:") {
		workers = 1 // as in the daemon
	}
	jobs, err := bench.DBConfig{
		Open: func(ctx context.Context) (database.Backend, error) { return sqldb.Open(ctx, c.DB) }, Workers: workers,
		Rates: c.Rate, Objects: c.Objects, Activate: c.Activate, List: c.List, For: c.For, Warmup: c.Warmup,
		Log: logger(slog.LevelWarn.String(), "auto"),
	}.Jobs()
	if err != nil {
		return benchError(err)
	}
	return c.measure(ctx, "db", bench.DBMethod, jobs)
}
