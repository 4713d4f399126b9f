package messagedirector

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Limits of the embedded nats-server.
const (
	maxPayload    = 8 << 20   // bytes of a packet
	maxPending    = 256 << 20 // bytes that wait for a process that does not read, before it is cut off
	writeDeadline = 10 * time.Second
	startTimeout  = 10 * time.Second
)

// Serve starts a bus in this process and makes the director a node of it. Other processes join with the node's URL.
// It returns when the node takes part. ctx bounds the start only.
func (d *Director) Serve(ctx context.Context, config BusConfig) (*Node, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	if config.Token == "" {
		b := make([]byte, 16)
		if _, err := rand.Read(b); err != nil {
			return nil, fmt.Errorf("messagedirector: serve: %w", err)
		}
		config.Token = hex.EncodeToString(b)
	}
	closing, err := config.ownStore()
	if err != nil {
		return nil, err
	}
	s, err := embed(&config)
	if err != nil {
		closeAll(closing)
		return nil, err
	}
	closing = append(closing, func() { s.Shutdown(); s.WaitForShutdown() })
	u := url.URL{Scheme: "nats", User: url.User(config.Token), Host: s.Addr().String()}
	n, err := d.connect(ctx, u.String(), config.NodeConfig, closing, nats.InProcessServer(s))
	if err != nil {
		return nil, err
	}
	if err := n.registry.tidy(ctx); err != nil {
		n.log.Warn("registry not tidied", "err", err)
	}
	return n, nil
}

// ownStore makes a temporary directory where none is configured; what it returns removes it.
func (c *BusConfig) ownStore() ([]func(), error) {
	if c.StoreDir != "" {
		return nil, nil
	}
	dir, err := os.MkdirTemp("", "otpd-bus-")
	if err != nil {
		return nil, fmt.Errorf("messagedirector: serve: %w", err)
	}
	c.StoreDir = dir
	return []func(){func() { _ = os.RemoveAll(dir) }}, nil
}

// embed starts a nats-server.
func embed(c *BusConfig) (*server.Server, error) {
	if err := free(c.Host, c.Port); err != nil {
		return nil, err
	}
	// What the server cannot do with its store it only logs, and is never ready.
	if err := os.MkdirAll(c.StoreDir, 0o700); err != nil {
		return nil, fmt.Errorf("messagedirector: serve: store: %w", err)
	}
	port := c.Port
	if port == 0 {
		port = server.RANDOM_PORT
	}
	s, err := server.NewServer(&server.Options{
		ServerName: c.Name, Host: c.Host, Port: port, Authorization: c.Token,
		NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: c.StoreDir,
		MaxPayload: maxPayload, MaxPending: maxPending, WriteDeadline: writeDeadline,
	})
	if err != nil {
		return nil, fmt.Errorf("messagedirector: serve: %w", err)
	}
	go s.Start()
	if !s.ReadyForConnections(startTimeout) || s.Addr() == nil {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("messagedirector: serve on %s:%d, store %s: not ready after %v", c.Host, c.Port, c.StoreDir, startTimeout)
	}
	return s, nil
}

// free reports an address that cannot be listened on: the nats-server itself would only log it.
func free(host string, port int) error {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("messagedirector: serve: %w", err)
	}
	return l.Close()
}

func closeAll(closing []func()) {
	for i := len(closing) - 1; i >= 0; i-- {
		closing[i]()
	}
}

// ErrCredential says that a URL's credential is not the cluster's.
var ErrCredential = errors.New("the credential in the URL is refused")

// parseURL checks a join URL. Errors show it without its credential.
func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" {
		return nil, errors.New("messagedirector: join: the URL must be like nats://TOKEN@127.0.0.1:4222")
	}
	return u, nil
}
