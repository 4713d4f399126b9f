package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/wire"
)

// plain is a client that says something and reads until it is answered, on one goroutine.
type plain struct {
	conn   link.Conn
	buf    []byte
	frames uint64 // that were read
}

// dialPlain connects to the i-th of the server's agents, and returns when that welcomes the client.
func dialPlain(ctx context.Context, l *load, server Info, i int) (*plain, error) {
	pin, err := server.pin()
	if err != nil {
		return nil, err
	}
	conn, err := link.Dial(ctx, server.Addrs[i%len(server.Addrs)], link.DialConfig{TLS: link.Pinned(pin), NoDatagrams: true})
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	p := &plain{conn: conn}
	sum := l.schema.Fingerprint()
	err = p.say(&wire.ClientHello{Schema: sum[:], Meta: "otpd bench", Enters: true})
	for welcome := false; err == nil && !welcome; {
		err = p.read(func(f wire.Frame) error {
			if _, ok := f.(*wire.ClientWelcome); ok {
				welcome = true
			}
			return nil
		})
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close(0, ""))
	}
	return p, nil
}

func (p *plain) say(f wire.Frame) error {
	if _, err := p.conn.Write(wire.AppendFrame(nil, f)); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}

// read hands over the whole frames of one read. An eject and a refusal are errors.
func (p *plain) read(handle func(wire.Frame) error) error {
	p.buf = slices.Grow(p.buf, readBuffer)
	n, err := p.conn.Read(p.buf[len(p.buf):cap(p.buf)])
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	p.buf = p.buf[:len(p.buf)+n]
	used := 0
	for used < len(p.buf) {
		n, err := entering(p.buf[used:], handle)
		if n > 0 && err == nil {
			used += n
			p.frames++
			continue
		}
		var f wire.Frame
		if err == nil {
			f, n, err = wire.NextFrame(p.buf[used:])
		}
		if isShort(err) {
			break
		}
		if err != nil {
			return err
		}
		used += n
		p.frames++
		switch f := f.(type) {
		case *wire.ClientEject:
			return fmt.Errorf("bench: ejected: %d %s", f.Reason, f.Text)
		case *wire.ClientRefused:
			return fmt.Errorf("bench: refused: %w: %s", f.Code, f.Text)
		}
		if err := handle(f); err != nil {
			return err
		}
	}
	p.buf = p.buf[:copy(p.buf, p.buf[used:])]
	return nil
}

// entering hands over the objects of a ClientEnters at the front of b, one by one; length 0: it is another frame.
func entering(b []byte, handle func(wire.Frame) error) (n int, err error) {
	if t, err := wire.PeekFrame(b); err != nil || t != wire.FrameClientEnters {
		return 0, err
	}
	f, n, err := wire.ParseClientEnters(b)
	if err != nil {
		return 0, err
	}
	for f.Next() {
		if err := handle(&f.Enter); err != nil {
			return 0, err
		}
	}
	return n, f.Err()
}

// call makes a call and returns its result. An error that the server answers with is a wire.Error.
func (p *plain) call(c *wire.ClientCall) (result []byte, err error) {
	if err := p.say(c); err != nil {
		return nil, err
	}
	var reply *wire.ClientReply
	for reply == nil {
		err := p.read(func(f wire.Frame) error {
			if r, ok := f.(*wire.ClientReply); ok && r.Call == c.Call {
				reply = r
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if reply.Code != 0 {
		return nil, fmt.Errorf("bench: %w", &wire.Error{Code: reply.Code, Text: reply.Text})
	}
	return slices.Clone(reply.Result), nil
}

// codeError is nil for the code of success.
func codeError(what string, code wire.Code, text string) error {
	if code == 0 {
		return nil
	}
	return fmt.Errorf("bench: %s: %w: %s", what, code, text)
}
