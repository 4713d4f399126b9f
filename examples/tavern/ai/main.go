// Command ai runs the tavern's world: the game logic as a program of its own, that joins a running daemon.
//
//	otpd run --dev
//	go run ./examples/tavern/ai --join "$(cat otpd-data/join.url)"
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/examples/tavern"
	"github.com/otpd/otpd/uberdog/auth/accounts"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "tavern ai:", err)
		os.Exit(1)
	}
}

func run() error {
	join := flag.String("join", os.Getenv("OTPD_JOIN"), "the daemon's join `URL`, which it leaves in DATA/join.url, or file:DATA/join.url (or OTPD_JOIN)")
	opts := tavern.Options{}
	flag.TextVar(&opts.Accounts.Sessions, "sessions", accounts.KickOld, "what becomes of a login while the account has a session: `kick` the old one, refuse the new one, allow both")
	cheap := flag.Bool("cheap-passwords", false, "hash passwords at a cost that protects nobody, and let one address log in as often as it likes: for tests")
	open := flag.Bool("open", false, "let anybody in by a ticket that is a name: for development")
	flag.DurationVar(&opts.Jobs.Lease, "lease", 30*time.Second, "after which a `time` a wage that a process died over is paid by another")
	metrics := flag.String("metrics", "", "HTTP `address` of a page for Prometheus; empty: none")
	flag.Parse()
	if *join == "" {
		return fmt.Errorf("no join URL: give --join or set OTPD_JOIN")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	registry, err := tavern.AIRegistry()
	if err != nil {
		return err
	}
	connecting, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	var world *tavern.World
	repo, err := ai.Connect(connecting, ai.Config{
		URL: *join, Registry: registry, Name: "tavern",
		Restore: func(ctx context.Context, _ *ai.Repository) error { return world.Restore(ctx) },
	})
	if err != nil {
		return err
	}
	if *cheap {
		opts.Accounts.Params, opts.Accounts.AddressBurst = accounts.Cheap(), -1
	}
	if *open {
		opts.Accounts.Authenticator = accounts.Anybody()
	}
	if world, err = tavern.NewAI(repo, opts); err != nil {
		repo.Close()
		return err
	}
	if *metrics != "" {
		page, err := net.Listen("tcp", *metrics)
		if err != nil {
			repo.Close()
			return err
		}
		defer page.Close()
		go func() { _ = http.Serve(page, ai.MetricsHandler(repo, world)) }() // until the page is closed
	}
	go announce(ctx, world, stop)
	running, end := context.WithCancel(context.Background())
	defer end()
	context.AfterFunc(ctx, func() {
		// Who is being paid shall be paid; the rest is for the next process.
		limited, cancel := context.WithTimeout(running, 5*time.Second)
		defer cancel()
		if err := repo.DoWait(limited, world.Stop); err != nil {
			slog.Warn("wages are being paid", "err", err)
		}
		end()
	})
	if err := repo.Run(running); err != nil {
		return err
	}
	return world.Err()
}

// announce says when the street stands, or ends the program when it cannot be built.
func announce(ctx context.Context, w *tavern.World, stop func()) {
	if err := w.Wait(ctx); err != nil {
		stop()
		return
	}
	slog.Info("the street is open")
}
