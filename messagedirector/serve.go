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
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/otpd/otpd/do"
)

// Limits of the embedded nats-server.
const (
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
	config.before = config.lastNode()
	u := url.URL{Scheme: "nats", User: url.User(config.Token), Host: s.Addr().String()}
	n, err := d.connect(ctx, u.String(), config.NodeConfig, closing, nats.InProcessServer(s))
	if err != nil {
		return nil, err
	}
	if err := config.noteNode(n.id); err != nil {
		n.log.Warn("node not noted", "err", err)
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

// nodeFile is where a process that serves a bus notes which node it is. It is the only one that uses the directory: who is
// noted there when it starts is dead, whatever the registry says.
const nodeFile = "otpd-node"

func (c *BusConfig) lastNode() do.ID {
	b, err := os.ReadFile(filepath.Join(c.StoreDir, nodeFile))
	if err != nil {
		return do.ID{}
	}
	id, err := do.ParseID(strings.TrimSpace(string(b)))
	if err != nil {
		return do.ID{}
	}
	return id
}

func (c *BusConfig) noteNode(id do.ID) error {
	return os.WriteFile(filepath.Join(c.StoreDir, nodeFile), []byte(id.String()+"\n"), 0o600)
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
		MaxPending: maxPending, WriteDeadline: writeDeadline,
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

// parseURL checks a join URL, or several with commas between them, and gives their hosts: errors show those, without
// the credential.
func parseURL(s string) (hosts string, err error) {
	var list []string
	for one := range strings.SplitSeq(s, ",") {
		u, err := url.Parse(one)
		if err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" {
			return "", errors.New("messagedirector: join: the URL must be like nats://TOKEN@127.0.0.1:4222; several with commas between them")
		}
		list = append(list, u.Host)
	}
	return strings.Join(list, ","), nil
}
