// Package replay is `otpd replay`: it gives recorded inputs to fresh cores and shows what goes in and comes out, in
// the language of the scenarios. Cores are pure, so it is the same run again.
package replay

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/otpd/otpd/clientagent"
	"github.com/otpd/otpd/cmd/otpd/internal/daemon"
	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/stateserver"
	"github.com/otpd/otpd/wire"
)

// Options say what is replayed, and what of it is shown.
type Options struct {
	Dir    string
	Core   string // the file's name without suffix; empty: all
	Object string // only lines that contain it
	Quiet  bool
}

// ErrNothing says that there is no recording.
var ErrNothing = errors.New("no recordings there")

// core is what all roles are.
type core interface {
	Start(out *wire.Outbox)
	Step(m wire.Message, out *wire.Outbox) error
}

// Run replays one file after the other.
func Run(w io.Writer, o Options) error {
	files, err := filepath.Glob(filepath.Join(o.Dir, "*"+daemon.RecordingSuffix))
	if err != nil {
		return err
	}
	sort.Strings(files)
	found := false
	out := bufio.NewWriter(w)
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), daemon.RecordingSuffix)
		if o.Core != "" && o.Core != name {
			continue
		}
		found = true
		if err := one(out, path, name, o); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", path, err), out.Flush())
		}
	}
	if !found {
		return fmt.Errorf("%s: %w", o.Dir, ErrNothing)
	}
	return out.Flush()
}

// one replays one core.
func one(w io.Writer, path, name string, o Options) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := wire.OpenRecording(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return err
	}
	c, err := newCore(r.Header)
	if err != nil {
		return err
	}
	p := player{w: w, core: c, o: o, printer: &wire.Printer{Versions: true}, sum: fnv.New64a()}
	p.line("# %s, recorded %s", name, time.Unix(0, r.Header.Start).UTC().Format(time.RFC3339Nano))
	c.Start(&p.out)
	p.outputs()
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, wire.ErrTruncated) {
			fmt.Fprintf(w, "# cut off here: %v\n", err)
			break
		}
		if err != nil {
			return err
		}
		p.input(m)
	}
	fmt.Fprintf(w, "# %s: %d inputs, %d messages out, %d frames out, hash %s\n", name, p.in, p.sent, p.frames, hex.EncodeToString(p.sum.Sum(nil)))
	return nil
}

// newCore makes the core that was recorded.
func newCore(h wire.RecordingHeader) (core, error) {
	switch h.Kind {
	case "stateserver":
		cfg, err := stateserver.ParseConfig(h.Config)
		if err != nil {
			return nil, err
		}
		return stateserver.New(cfg)
	case "clientagent":
		cfg, err := clientagent.ParseConfig(h.Config)
		if err != nil {
			return nil, err
		}
		return clientagent.New(cfg)
	case "database":
		cfg, err := database.ParseConfig(h.Config)
		if err != nil {
			return nil, err
		}
		return database.New(cfg)
	}
	return nil, fmt.Errorf("a core of kind %q is not known", h.Kind)
}

// player feeds one core.
type player struct {
	w       io.Writer
	core    core
	o       Options
	printer *wire.Printer
	out     wire.Outbox
	sum     interface {
		io.Writer
		Sum([]byte) []byte
	}
	in, sent, frames int
}

// input gives the core one message and shows both sides. Ticks are shown only where they cause something.
func (p *player) input(m wire.Message) {
	p.in++
	p.learn(m)
	text := "< " + p.printer.Message(m)
	if f, ok := m.Body.(*wire.Flush); ok {
		if a, ok := p.core.(*clientagent.State); ok {
			a.FlushPart(f, func(out *clientagent.Out) { p.client(&text, out) })
			p.line("%s", text)
			return
		}
	}
	err := p.core.Step(m, &p.out)
	if d, ok := p.core.(*database.State); ok {
		d.Work() // it was done when this was recorded; the outcome is among the inputs
	}
	_, tick := m.Body.(*wire.Tick)
	if !tick || len(p.out.Messages) > 0 || err != nil {
		p.line("%s", text)
	}
	if err != nil {
		p.line("! refused: %v", err)
	}
	p.outputs()
}

// outputs shows what the core sends.
func (p *player) outputs() {
	for _, m := range p.out.Messages {
		p.sent++
		p.line("    > %s", p.printer.Message(m))
	}
	p.out.Reset()
}

// client shows what goes to one client, below the input's line.
func (p *player) client(text *string, out *clientagent.Out) {
	show := func(kind string, b []byte) {
		for len(b) > 0 {
			f, n, err := wire.NextFrame(b)
			if err != nil {
				*text += fmt.Sprintf("\n    >> %s: %v", kind, err)
				return
			}
			p.frames++
			*text += fmt.Sprintf("\n    >> %s %s: %s", kind, out.Session, p.printer.Frame(f))
			b = b[n:]
		}
	}
	show("stream", out.Stream)
	show("datagram", out.Datagrams)
	if out.Close {
		*text += fmt.Sprintf("\n    >> close %s: %s %s", out.Session, out.Reason, out.Text)
	}
	out.Stream, out.Datagrams, out.Ends = out.Stream[:0], out.Datagrams[:0], out.Ends[:0]
}

// learn takes the schema from what the core is told, so that classes and fields have names.
func (p *player) learn(m wire.Message) {
	r, ok := m.Body.(*wire.SchemaRecord)
	if !ok || len(r.Text) == 0 {
		return
	}
	if s, err := do.ParseSchema(r.Text); err == nil {
		p.printer.Schema = s
	}
}

// line writes and sums one line.
func (p *player) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	_, _ = io.WriteString(p.sum, text) // a hash does not fail
	if p.o.Quiet || p.o.Object != "" && !strings.Contains(text, p.o.Object) {
		return
	}
	fmt.Fprintln(p.w, text)
}
