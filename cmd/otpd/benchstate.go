package main

import (
	"time"

	"github.com/otpd/otpd/cmd/otpd/internal/bench"
)

// benchStateCmd is `otpd bench state`.
type benchStateCmd struct {
	For      time.Duration `default:"2s" help:"Measured time of each rate in the core."`
	Fill     []int         `default:"0,10000,100000,1000000" help:"Children that a parent has when creates are timed."`
	Creates  int           `default:"100000" help:"Creates that are timed."`
	Objects  int           `default:"1000000" help:"Objects whose memory is measured; 0: not."`
	Zone     []int         `default:"1000,10000" help:"Objects in the zones that are opened; 0: none is."`
	Others   []int         `default:"0,100000" help:"Other children that the parent has then."`
	Openings int           `default:"30" help:"Openings of each zone in a run."`
	Delete   int           `default:"40000" help:"Children of the parent that is deleted; 0: none is."`
	benchPlace
	benchRuns
}

// Run measures.
func (c *benchStateCmd) Run() error {
	return measureOn(c.benchPlace, c.benchRuns, "state", bench.StateMethod, bench.StateConfig{
		For: c.For, Fill: c.Fill, Creates: c.Creates, Objects: c.Objects, Zone: c.Zone, Others: c.Others, Openings: c.Openings, Delete: c.Delete,
	})
}

// benchRouteCmd is `otpd bench route`.
type benchRouteCmd struct {
	Receivers []int         `default:"1,10,100" help:"Participants that get each message."`
	Size      int           `default:"32" help:"Bytes of a message's value."`
	Batch     int           `default:"64" help:"Messages that are routed at once, as a role does after it took its inbox."`
	For       time.Duration `default:"2s" help:"Measured time of each row."`
	Bus       bool          `default:"true" negatable:"" help:"From one process's director to another's, too, over the bus."`
	benchRuns
}

// Run measures.
func (c *benchRouteCmd) Run() error {
	ctx, stop := benchContext()
	defer stop()
	jobs, err := bench.RouteConfig{Receivers: c.Receivers, Size: c.Size, Batch: c.Batch, For: c.For, Bus: c.Bus}.Jobs()
	if err != nil {
		return benchError(err)
	}
	return c.measure(ctx, "route", bench.RouteMethod, jobs)
}
