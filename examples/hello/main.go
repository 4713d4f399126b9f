package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/client"
)

var errUsage = errors.New("usage: hello ai JOIN-URL | hello ring PIN [HOST:PORT [NAME]]")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) < 2 || len(args) > 4 {
		return errUsage
	}
	switch args[0] {
	case "ai":
		return runAI(ctx, ai.Config{URL: args[1], Name: "hello"})
	case "ring":
		args = append(args, []string{"", "", "127.0.0.1:7198", "somebody"}[len(args):]...)
		pin, err := hex.DecodeString(args[1])
		if err != nil || len(pin) != 32 {
			return fmt.Errorf("%w: PIN is 32 bytes in hex", errUsage)
		}
		return ring(ctx, args[2], args[3], client.Config{TLS: client.Pinned([32]byte(pin))}, os.Stdout)
	}
	return errUsage
}
