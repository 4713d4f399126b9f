// Command withpg runs a command beside a throw-away PostgreSQL that flushes each commit to the disk, as servers do.
//
//	go run ./internal/testpg/cmd/withpg otpd bench db --db {}
//
// {} in the arguments stands for the address of an empty database. The server and all that is in it are gone when the
// command has ended, whose exit status is withpg's.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/otpd/otpd/internal/testpg"
)

func main() {
	err := run(os.Args[1:])
	var failed *exec.ExitError
	if errors.As(err, &failed) && failed.Exited() {
		os.Exit(failed.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "withpg:", err)
		os.Exit(1)
	}
}

// placeholder is what the address of the database replaces.
const placeholder = "{}"

func run(args []string) (err error) {
	if len(args) == 0 {
		return fmt.Errorf("what is to be run? withpg COMMAND ARGUMENT..., where %s stands for the database's address", placeholder)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server, err := testpg.Start(ctx, testpg.WithFsync())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, placeholder, server.URL())
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}
