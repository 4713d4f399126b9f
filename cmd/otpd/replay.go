package main

import (
	"os"

	"github.com/otpd/otpd/cmd/otpd/internal/replay"
)

// replayCmd is `otpd replay`.
type replayCmd struct {
	Dir    string `arg:"" type:"existingdir" help:"Directory of recordings, as --record writes them."`
	Core   string `help:"Only this core, such as stateserver-1."`
	Object string `help:"Only messages that name this DoID."`
	Quiet  bool   `help:"No messages, only a line for each core: inputs, outputs and a hash of both."`
}

// Run repeats the recorded inputs.
func (c *replayCmd) Run() error {
	return replay.Run(os.Stdout, replay.Options{Dir: c.Dir, Core: c.Core, Object: c.Object, Quiet: c.Quiet})
}
