// Command client is one bot in the tavern's street, over a real link.
//
//	go run ./examples/tavern/client --name flippy --pin "$(cat otpd-data/client.pin)"
package main

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/otpd/otpd/client"
	"github.com/otpd/otpd/examples/tavern"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "tavern client:", err)
		os.Exit(1)
	}
}

func run() error {
	addr := flag.String("addr", "127.0.0.1:7198", "client agent, `host:port`")
	pin := flag.String("pin", "", "SHA-256 of the server's self-signed certificate in `hex`, which the daemon leaves in DATA/client.pin; empty: the system's roots")
	name := flag.String("name", "flippy", "account and avatar")
	password := flag.String("password", "correct horse", "of the account, which is made if it does not exist")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "of what the bot does")
	flag.Parse()
	trust, err := pinned(*pin)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	bot := tavern.NewBot(tavern.BotConfig{Addr: *addr, TLS: trust, Name: *name, Password: *password, Seed: *seed})
	done := make(chan struct{})
	go func() {
		bot.Run(ctx)
		close(done)
	}()
	for tick := time.NewTicker(time.Second); ; {
		select {
		case <-tick.C:
			fmt.Println(&bot.Stats)
		case <-done:
			return nil
		}
	}
}

// pinned is the trust in one certificate; nil, which is the system's roots, without one.
func pinned(text string) (*tls.Config, error) {
	if text == "" {
		return nil, nil
	}
	var pin [32]byte
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(pin) {
		return nil, fmt.Errorf("--pin: want %d bytes in hex", len(pin))
	}
	copy(pin[:], b)
	return client.Pinned(pin), nil
}
