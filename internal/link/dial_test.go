package link

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/wire"
)

func (d *Dialer) withRoom() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.open)
}

// Connections of one Dialer share a socket until it is full; it is closed with the last of them, and not before.
func TestDialerSharesSockets(t *testing.T) {
	l, cert := serve(t, func(c *ListenConfig) { c.StreamTimeout = time.Minute })
	var d Dialer
	conns := make([]Conn, perSocket+1)
	for i := range conns {
		c, err := d.Dial(t.Context(), l.Addr().String(), DialConfig{TLS: Pinned(Pin(cert))})
		require.NoError(t, err)
		conns[i] = c
	}
	ports := map[string]int{}
	for _, c := range conns {
		ports[c.LocalAddr().String()]++
	}
	require.Len(t, ports, 2)
	require.Equal(t, 1, d.withRoom()) // the second; the first is full

	// One that ends leaves the others of its socket alone.
	full := 0
	for i, c := range conns {
		if ports[c.LocalAddr().String()] == perSocket {
			full = i
		}
	}
	require.NoError(t, conns[full].Close(0, ""))
	require.Eventually(t, func() bool { return d.withRoom() == 2 }, time.Minute, time.Millisecond)
	for _, c := range conns {
		if c == conns[full] {
			continue
		}
		_, err := c.Write(hello())
		require.NoError(t, err)
		s, err := l.Accept(t.Context())
		require.NoError(t, err)
		got, err := NewReader(s, wire.MaxClientFrame).Next()
		require.NoError(t, err)
		require.Equal(t, hello(), got)
	}

	for _, c := range conns {
		require.NoError(t, c.Close(0, ""))
	}
	require.Eventually(t, func() bool { return d.withRoom() == 0 }, time.Minute, time.Millisecond)
}

// Who cannot be reached holds no socket.
func TestDialerForgetsFailures(t *testing.T) {
	l, cert := serve(t, nil)
	var d Dialer
	pin := Pin(cert)
	pin[0]++
	_, err := d.Dial(t.Context(), l.Addr().String(), DialConfig{TLS: Pinned(pin)})
	require.Error(t, err)
	require.Zero(t, d.withRoom())
}

// TestDialHonoursItsContext: while it looks a name up, too.
func TestDialHonoursItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Dial(ctx, "nobody.invalid:7198", DialConfig{})
	require.ErrorIs(t, err, context.Canceled)
	for _, addr := range []string{"127.0.0.1", "127.0.0.1:many", "127.0.0.1:70000"} {
		_, err := Dial(t.Context(), addr, DialConfig{})
		require.ErrorContains(t, err, "link: dial "+addr+": ")
	}
}

func TestResolvePrefersIPv4(t *testing.T) {
	for host, want := range map[string]string{"": "127.0.0.1:7198", "localhost": "127.0.0.1:7198", "127.0.0.9": "127.0.0.9:7198", "::1": "[::1]:7198"} {
		addr, err := resolve(t.Context(), host, "7198")
		require.NoError(t, err)
		require.Equal(t, want, addr.String(), "%q", host)
	}
}
