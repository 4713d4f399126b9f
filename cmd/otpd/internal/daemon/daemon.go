package daemon

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/otpd/otpd/clientagent"
	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/database/sqldb"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/do/dc"
	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/stateserver"
)

// Daemon is a running process of server roles.
type Daemon struct {
	// Set before Start returns, then read-only.
	cfg      Config
	log      *slog.Logger
	director *messagedirector.Director
	backend  database.Backend
	db       *database.Server
	states   []*stateserver.Server
	agents   []*clientagent.Agent
	node     *messagedirector.Node // nil without a bus
	admin    *admin                // nil without one
	cert     tls.Certificate
	records  recordings
	written  []string     // files of the data directory that end with the daemon
	unlock   func() error // nil: the data directory is not ours

	// Each group of roles has a context of its own, so that they end in order.
	stages []*stage

	once   sync.Once
	failed chan error // the first role that ended by itself
	ended  chan struct{}
	err    error // valid when ended is closed
}

// stage is roles that end together.
type stage struct {
	name   string
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// Director is the daemon's, for AIs in the same process.
func (d *Daemon) Director() *messagedirector.Director { return d.director }

// Addrs is where clients connect, one for each agent.
func (d *Daemon) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(d.agents))
	for i, a := range d.agents {
		addrs[i] = a.Addr()
	}
	return addrs
}

// AdminAddr is where the admin port listens; empty without one.
func (d *Daemon) AdminAddr() string {
	if d.admin == nil {
		return ""
	}
	return d.admin.addr()
}

// JoinURL is what AI processes and tools join with, credential included; empty without a bus.
func (d *Daemon) JoinURL() string {
	if d.node == nil {
		return ""
	}
	return d.node.URL()
}

// Pin is the SHA-256 of the certificate, by which a client knows a self-signed one again.
func (d *Daemon) Pin() [32]byte { return link.Pin(d.cert) }

// Files in the data directory while the daemon runs, readable by the owner only, for programs of the same user.
// ReadyFile is written last.
const (
	JoinFile  = "join.url"    // what AI processes join with
	PinFile   = "client.pin"  // SHA-256 of the client link's certificate, in hex
	AdminFile = "admin.addr"  // host:port of the admin port
	ReadyFile = "client.addr" // host:port for clients, one line for each agent
)

// Start brings all roles up, or none: on an error what was started is stopped again.
func Start(ctx context.Context, cfg Config, log *slog.Logger) (d *Daemon, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	d = &Daemon{cfg: cfg, log: log, failed: make(chan error, 64), ended: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.stop(nil))
			d = nil
		}
	}()
	var schema *do.Schema
	if cfg.Schema != "" {
		var notices []dc.Notice
		if schema, _, notices, err = ReadSchema(cfg.Schema); err != nil {
			return d, fmt.Errorf("schema: %w", err)
		}
		for _, n := range notices {
			log.Warn("schema", "notice", n.String())
		}
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return d, fmt.Errorf("data directory: %w", err)
	}
	if d.unlock, err = lock(cfg.Data); err != nil {
		return d, fmt.Errorf("data directory: %w", err)
	}
	if err := d.clearFiles(); err != nil {
		return d, err
	}
	d.records.dir = cfg.Record
	if d.cert, err = certificate(cfg); err != nil {
		return d, err
	}
	if d.director, err = messagedirector.New(messagedirector.Config{Log: log}); err != nil {
		return d, err
	}
	if err := d.startBus(ctx); err != nil {
		return d, err
	}
	epoch, err := d.openDatabase(ctx)
	if err != nil {
		return d, err
	}
	if err := d.startDatabase(); err != nil {
		return d, err
	}
	if schema != nil {
		if err := d.offerSchema(ctx, schema); err != nil {
			return d, err
		}
	}
	if err := d.startStates(epoch); err != nil {
		return d, err
	}
	if err := d.startAgents(); err != nil {
		return d, err
	}
	if cfg.Admin != "" {
		if d.admin, err = startAdmin(d, cfg.Admin); err != nil {
			return d, err
		}
	}
	if err := d.writeFiles(); err != nil {
		return d, err
	}
	go d.watch()
	return d, nil
}

// Stop ends the daemon in order and waits for it.
func (d *Daemon) Stop() error {
	d.once.Do(func() { d.failed <- nil })
	<-d.ended
	return d.err
}

// Wait returns when the daemon has ended, with the error of the role that ended it, nil after Stop.
func (d *Daemon) Wait() error {
	<-d.ended
	return d.err
}

// watch ends the daemon when it is asked to, or when one of its roles ends by itself: half a daemon serves nobody.
func (d *Daemon) watch() {
	reason := <-d.failed
	if reason != nil {
		d.log.Error("a role has ended; stopping", "err", reason)
	}
	d.err = d.stop(reason)
	close(d.ended)
}

// stop ends what runs, last started first.
func (d *Daemon) stop(reason error) error {
	errs := []error{reason}
	if d.admin != nil {
		errs = append(errs, d.admin.stop())
	}
	for i := len(d.stages) - 1; i >= 0; i-- {
		d.stages[i].cancel()
		d.stages[i].wg.Wait()
	}
	if d.node != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		errs = append(errs, d.node.Close(ctx))
		cancel()
	}
	if d.backend != nil {
		errs = append(errs, d.backend.Close())
	}
	errs = append(errs, d.records.close())
	for _, path := range d.written {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if d.unlock != nil {
		errs = append(errs, d.unlock())
	}
	return errors.Join(errs...)
}

// begin starts a stage; its roles run with the context that it returns.
func (d *Daemon) begin(name string) (*stage, context.Context) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &stage{name: name, cancel: cancel}
	d.stages = append(d.stages, s)
	return s, ctx
}

// serve runs one role of a stage. A role that ends before it was told to ends the daemon.
func (d *Daemon) serve(s *stage, ctx context.Context, name string, run func(context.Context) error) {
	s.wg.Go(func() {
		err := run(ctx)
		if err == nil && ctx.Err() == nil {
			err = errors.New("ended by itself")
		}
		if err != nil {
			select {
			case d.failed <- fmt.Errorf("%s: %w", name, err):
			default: // somebody else was first
			}
		}
	})
}

// certificate is the configured one, or in dev a self-signed one for loopback and the listen address.
func certificate(cfg Config) (tls.Certificate, error) {
	if cfg.Cert != "" {
		cert, err := tls.LoadX509KeyPair(cfg.Cert, cfg.Key)
		if err != nil {
			return cert, fmt.Errorf("cert %s, key %s: %w", cfg.Cert, cfg.Key, err)
		}
		return cert, nil
	}
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if host, _, err := net.SplitHostPort(cfg.Listen); err == nil && host != "" {
		hosts = append(hosts, host)
	}
	return link.DevCertificate(time.Now(), hosts...)
}

func (d *Daemon) startBus(ctx context.Context) error {
	if d.cfg.Bus == "" {
		return nil
	}
	host, portText, err := net.SplitHostPort(d.cfg.Bus)
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return fmt.Errorf("bus: port %q: %w", portText, ErrConfig)
	}
	token := d.cfg.BusToken
	if token == "" {
		token = rand.Text()
	}
	d.node, err = d.director.Serve(ctx, messagedirector.BusConfig{
		NodeConfig: messagedirector.NodeConfig{Name: "otpd"},
		Host:       host, Port: port, Token: token, StoreDir: filepath.Join(d.cfg.Data, "bus"),
	})
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	s, sctx := d.begin("bus")
	d.serve(s, sctx, "bus", func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return nil
		case <-d.node.Done():
			return d.node.Err()
		}
	})
	return nil
}

// openDatabase opens the backend, reads or makes the cluster record, and takes the partitions over.
func (d *Daemon) openDatabase(ctx context.Context) (epoch uint32, err error) {
	address := d.cfg.DB
	if address == "" {
		address = "sqlite:" + filepath.Join(d.cfg.Data, "otpd.db")
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	backend, err := sqldb.Open(ctx, address)
	if err != nil {
		return 0, fmt.Errorf("db: %w", err) // d.backend stays nil: there is nothing to close
	}
	d.backend = backend
	opening, err := database.Begin(ctx, d.backend, database.Cluster{
		ID: newID(), Partitions: d.cfg.Partitions, Created: time.Now().UTC().Truncate(time.Microsecond),
	})
	if err != nil {
		return 0, fmt.Errorf("db: %w", err)
	}
	if made := opening.Cluster.Partitions; made != d.cfg.Partitions {
		d.log.Info("the cluster record fixes the partitions", "configured", d.cfg.Partitions, "partitions", made)
		d.cfg.Partitions = made
		d.cfg.States = min(d.cfg.States, int(made))
	}
	return opening.Epoch, nil
}

func (d *Daemon) startDatabase() (err error) {
	cfg := database.Config{Partitions: d.cfg.Partitions, Manual: d.cfg.Migrate == "manual" || d.cfg.Migrate == "" && !d.cfg.Dev}
	if d.cfg.DB != "" {
		cfg.Workers = 4
	}
	rec, err := d.records.open("database", "database", cfg.Text())
	if err != nil {
		return err
	}
	d.db, err = database.NewServer(d.director, d.backend, database.ServerConfig{State: cfg, Log: d.log, Recorder: rec.writer()})
	if err != nil {
		return err
	}
	s, ctx := d.begin("database")
	d.serve(s, ctx, "database", d.db.Run)
	return nil
}

// deal gives each State its partitions: round robin, so that neighbours in number live apart. Partition 0, with
// the well-known roots, is the first State's.
func deal(partitions uint16, states int) [][]do.Partition {
	dealt := make([][]do.Partition, states)
	for p := range do.Partition(partitions) + 1 {
		i := int(p) % states
		dealt[i] = append(dealt[i], p)
	}
	return dealt
}

func (d *Daemon) startStates(epoch uint32) error {
	s, ctx := d.begin("state servers")
	for i, partitions := range deal(d.cfg.Partitions, d.cfg.States) {
		name := fmt.Sprintf("stateserver-%d", i+1)
		cfg := stateserver.Config{Instance: newID(), Partitions: partitions, Epoch: epoch, IdleUnload: d.cfg.IdleUnload}
		rec, err := d.records.open(name, "stateserver", cfg.Text())
		if err != nil {
			return err
		}
		server, err := stateserver.NewServer(cfg, d.director.Join(name), stateserver.Options{Log: d.log.With("role", name), Record: rec.inputErr()})
		if err != nil {
			return err
		}
		d.states = append(d.states, server)
		d.serve(s, ctx, name, server.Run)
	}
	// A server answers once it has subscribed its partitions: nothing may be sent to it before.
	for _, server := range d.states {
		if err := server.Inspect(ctx, func(*stateserver.State) {}); err != nil {
			return err
		}
	}
	return nil
}

func (d *Daemon) startAgents() error {
	s, ctx := d.begin("client agents")
	host, port, err := net.SplitHostPort(d.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	base, err := strconv.Atoi(port)
	if err != nil {
		return fmt.Errorf("listen: port %q: %w", port, ErrConfig)
	}
	for i := range d.cfg.Agents {
		next := base
		if base != 0 {
			next = base + i
		}
		l, err := link.Listen(link.ListenConfig{Addr: net.JoinHostPort(host, strconv.Itoa(next)), TLS: link.Serving(d.cert)})
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		name := fmt.Sprintf("clientagent-%d", i+1)
		cfg := clientagent.Config{Instance: newID(), Version: d.cfg.Version, Heartbeat: d.cfg.Heartbeat, NoRelocate: d.cfg.NoRelocate}
		if err := cfg.Interests.UnmarshalText([]byte(d.cfg.Interests)); err != nil {
			return fmt.Errorf("interests: %w: %w", err, ErrConfig)
		}
		if cfg.Heartbeat == 0 {
			cfg.Heartbeat = -1
		}
		faults, err := newFaults(d.log)
		if err != nil {
			return errors.Join(err, l.Close())
		}
		faults.configure(&cfg)
		rec, err := d.records.open(name, "clientagent", cfg.Text())
		if err != nil {
			return errors.Join(err, l.Close())
		}
		agent, err := clientagent.NewAgent(clientagent.AgentConfig{
			Config: cfg, Name: name, Director: d.director, Listener: faults.listener(l), Log: d.log, Record: rec.input(),
			Lose: faults.lose(), FlushMost: d.cfg.FlushMost,
		})
		if err != nil {
			return errors.Join(err, l.Close())
		}
		d.agents = append(d.agents, agent)
		d.serve(s, ctx, name, agent.Run)
	}
	return nil
}

// clearFiles removes what a daemon that was killed left: nobody shall take it for this one's.
func (d *Daemon) clearFiles() error {
	for _, name := range []string{ReadyFile, JoinFile, PinFile, AdminFile} {
		for _, path := range []string{name, name + ".new"} {
			if err := os.Remove(filepath.Join(d.cfg.Data, path)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("data directory: %w", err)
			}
		}
	}
	return nil
}

// writeFiles leaves the join URL and the certificate's pin where programs of the same user find them.
func (d *Daemon) writeFiles() error {
	pin := d.Pin()
	type file struct{ name, text string }
	files := []file{{PinFile, hex.EncodeToString(pin[:])}}
	if d.node != nil {
		files = append(files, file{JoinFile, d.node.URL()})
	}
	if d.admin != nil {
		files = append(files, file{AdminFile, d.AdminAddr()})
	}
	var addrs strings.Builder
	for _, a := range d.Addrs() {
		fmt.Fprintln(&addrs, a)
	}
	for _, f := range append(files, file{ReadyFile, strings.TrimSpace(addrs.String())}) {
		path := filepath.Join(d.cfg.Data, f.name)
		d.written = append(d.written, path, path+".new")
		if err := os.WriteFile(path+".new", []byte(f.text+"\n"), 0o600); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
	}
	return nil
}

// newID draws the id of an instance: it is no object.
func newID() do.ID {
	var r [8]byte
	_, _ = rand.Read(r[:]) // never fails
	var n uint64
	for _, b := range r {
		n = n<<8 | uint64(b)
	}
	return do.NewID(0, time.Now().UnixMilli(), n)
}
