package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"

	"github.com/otpd/otpd/messagedirector"
)

// Config is everything that an operator can set. The same struct is the YAML file (keys in lower case with
// underscores), the OTPD_* environment and the flags of `otpd run`; what is nearer wins: flag, environment, file, default.
type Config struct {
	Listen     string        `yaml:"listen" default:"127.0.0.1:7198" env:"OTPD_LISTEN" help:"UDP address where game clients connect by QUIC."`
	Data       string        `yaml:"data" default:"otpd-data" env:"OTPD_DATA" help:"Directory for the SQLite database, the bus's registry and the join URL."`
	DB         string        `yaml:"db" env:"OTPD_DB" help:"Database: a postgres:// URL, or empty for SQLite in the data directory."`
	Migrate    string        `yaml:"migrate" enum:"auto,manual," default:"" env:"OTPD_MIGRATE" help:"Who makes the tables, columns and indexes that the game's schema needs: auto, the daemon; manual, otpd migrate up; empty: auto in dev, else manual."`
	Cert       string        `yaml:"cert" env:"OTPD_CERT" help:"TLS certificate chain (PEM). Needed unless dev is set."`
	Key        string        `yaml:"key" env:"OTPD_KEY" help:"TLS private key (PEM)."`
	Dev        bool          `yaml:"dev" env:"OTPD_DEV" help:"Development: make a self-signed certificate at start."`
	Version    string        `yaml:"version" env:"OTPD_VERSION" help:"Game version that clients must have; empty: any."`
	Schema     string        `yaml:"schema" env:"OTPD_SCHEMA" help:"The game's classes: a .dc file as otpd schema export writes it, several with commas; empty: the first AI process brings them."`
	Interests  string        `yaml:"interests" default:"any" enum:"any,visible,permitted,disabled" env:"OTPD_INTERESTS" help:"What clients may open interests in: any zone; zones below objects that they know (visible); zones that the parent has open or an AI permits (permitted); none (disabled)."`
	NoRelocate bool          `yaml:"no_relocate" env:"OTPD_NO_RELOCATE" help:"Clients may not move the objects that they own."`
	Partitions uint16        `yaml:"partitions" default:"16" env:"OTPD_PARTITIONS" help:"Shards of the object space, fixed when the cluster record is made (1 to 4096)."`
	States     int           `yaml:"states" default:"4" env:"OTPD_STATES" help:"State servers in this process; the partitions are dealt out among them."`
	IdleUnload time.Duration `yaml:"idle_unload" env:"OTPD_IDLE_UNLOAD" default:"0s" help:"An object of the database that no message was sent to for as long, and that no client owns, is taken out of memory; 0: never."`
	Agents     int           `yaml:"agents" default:"1" env:"OTPD_AGENTS" help:"Client agents in this process. Each listens on the next port, or on a free one when the port is 0."`
	Bus        string        `yaml:"bus" default:"127.0.0.1:7199" env:"OTPD_BUS" help:"TCP address where AI processes and tools join; empty: nobody can."`
	BusToken   string        `yaml:"bus_token" env:"OTPD_BUS_TOKEN" help:"Credential in the join URL; empty: a random one at each start."`
	Admin      string        `yaml:"admin" default:"127.0.0.1:7180" env:"OTPD_ADMIN" help:"HTTP address of /metrics, /healthz and /readyz; empty: none."`
	Heartbeat  time.Duration `yaml:"heartbeat" default:"30s" env:"OTPD_HEARTBEAT" help:"A client that is silent for longer is ejected (345); 0: never."`
	FlushMost  time.Duration `yaml:"flush_most" default:"10ms" env:"OTPD_FLUSH_MOST" help:"For how long output to a client is gathered at most when there is much of it; latest values alone, for so many clients that even this makes too many packets, up to three times as long. 0: 10ms."`
	Record     string        `yaml:"record" env:"OTPD_RECORD" help:"Directory for recordings of every core's inputs, for otpd replay."`
	LogLevel   string        `yaml:"log_level" default:"info" enum:"debug,info,warn,error" env:"OTPD_LOG_LEVEL" help:"debug, info, warn or error."`
	LogFormat  string        `yaml:"log_format" default:"auto" enum:"auto,text,json" env:"OTPD_LOG_FORMAT" help:"auto (coloured text on a terminal, else JSON), text or json."`
}

// ErrConfig is wrapped by every error about a configuration value.
var ErrConfig = errors.New("bad configuration")

// Validate checks what no single value can tell. Errors wrap ErrConfig and name the key.
func (c *Config) Validate() error {
	bad := func(key, format string, args ...any) error {
		return fmt.Errorf("%s: %s: %w", key, fmt.Sprintf(format, args...), ErrConfig)
	}
	for _, a := range []struct{ key, addr string }{{"listen", c.Listen}, {"bus", c.Bus}, {"admin", c.Admin}} {
		if a.addr == "" && a.key != "listen" {
			continue
		}
		_, port, err := net.SplitHostPort(a.addr)
		if err != nil {
			return bad(a.key, "%q is no host:port", a.addr)
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return bad(a.key, "%q: the port is no number up to 65535", a.addr)
		}
	}
	switch {
	case c.Partitions < 1 || c.Partitions > 4096:
		return bad("partitions", "%d is not between 1 and 4096", c.Partitions)
	case c.States < 1 || c.States > int(c.Partitions):
		return bad("states", "%d is not between 1 and the number of partitions (%d)", c.States, c.Partitions)
	case c.Agents < 1 || c.Agents > 64:
		return bad("agents", "%d is not between 1 and 64", c.Agents)
	case (c.Cert == "") != (c.Key == ""):
		return bad("cert", "cert and key go together")
	case c.Cert == "" && !c.Dev:
		return bad("cert", "no certificate: set cert and key, or dev for a self-signed one")
	case strings.ContainsAny(c.BusToken, messagedirector.NotInToken):
		return bad("bus_token", "it is part of a URL: want none of %q", messagedirector.NotInToken)
	case c.IdleUnload < 0:
		return bad("idle_unload", "%v is negative", c.IdleUnload)
	case c.Heartbeat < 0:
		return bad("heartbeat", "%v is negative", c.Heartbeat)
	case c.FlushMost < 0 || c.FlushMost > time.Second:
		return bad("flush_most", "%v is not between 0 and 1s", c.FlushMost)
	case c.DB != "" && !strings.HasPrefix(c.DB, "postgres://") && !strings.HasPrefix(c.DB, "postgresql://"):
		return bad("db", "want a postgres:// URL, or nothing for SQLite")
	}
	return nil
}

// FileResolver reads a YAML file into kong: the values of its keys are used where neither flag nor environment
// says otherwise. An unknown key or a value of the wrong type is an error with line and column.
func FileResolver(path string) (kong.Resolver, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	set, err := readFile(raw)
	if err != nil {
		return nil, fmt.Errorf("config %s: %w: %w", path, ErrConfig, err)
	}
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		for _, env := range flag.Envs {
			if _, ok := os.LookupEnv(env); ok {
				return nil, nil
			}
		}
		v := set[strings.ReplaceAll(flag.Name, "-", "_")]
		if v == nil { // absent, or a key without a value
			return nil, nil
		}
		return fmt.Sprint(v), nil
	}), nil
}

// readFile checks a configuration file and returns its values by key.
func readFile(raw []byte) (set map[string]any, err error) {
	var strict Config
	strictErr := yaml.UnmarshalWithOptions(raw, &strict, yaml.Strict())
	var positioned yaml.Error
	if errors.As(strictErr, &positioned) {
		return nil, errors.New(strings.TrimSpace(yaml.FormatError(strictErr, false, true)))
	}
	if err := yaml.Unmarshal(raw, &set); err != nil {
		return nil, errors.New(strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	if strictErr != nil {
		return nil, fmt.Errorf("%s%w", wrongKey(raw, set), strictErr)
	}
	return set, nil
}

// wrongKey finds the key whose value is refused where the decoder does not say it: durations.
func wrongKey(raw []byte, set map[string]any) string {
	for i, t := 0, reflect.TypeFor[Config](); i < t.NumField(); i++ {
		key := t.Field(i).Tag.Get("yaml")
		value, ok := set[key]
		if !ok {
			continue
		}
		one, err := yaml.Marshal(map[string]any{key: value})
		if err != nil || yaml.Unmarshal(one, &Config{}) == nil {
			continue
		}
		at, err := yaml.PathString("$." + key)
		if err != nil {
			continue
		}
		node, err := at.ReadNode(bytes.NewReader(raw))
		if err != nil {
			continue
		}
		p := node.GetToken().Position
		return fmt.Sprintf("[%d:%d] %s: ", p.Line, p.Column, key)
	}
	return ""
}

// Default is the configuration file with every key at its default and its documentation, as `otpd config default` prints it.
func Default() string {
	var b strings.Builder
	b.WriteString("# otpd configuration. Every key can also be set by its environment variable or flag, which win over this file.\n")
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		fmt.Fprintf(&b, "\n# %s (%s)\n", tag.Get("help"), tag.Get("env"))
		value := tag.Get("default")
		switch t.Field(i).Type.Kind() {
		case reflect.String:
			value = fmt.Sprintf("%q", value)
		case reflect.Bool:
			value = "false"
		}
		fmt.Fprintf(&b, "%s: %s\n", tag.Get("yaml"), value)
	}
	return b.String()
}
