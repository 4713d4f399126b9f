package link

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otpd/otpd/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// carriers is every way to connect two ends; each test over it holds for all.
var carriers = []struct {
	name string
	pair func(t *testing.T) (client, server Conn)
}{
	{"quic", quicPair},
	{"memory", func(t *testing.T) (Conn, Conn) {
		c, s := Pipe(PipeConfig{})
		t.Cleanup(func() { _ = c.Close(0, "") })
		return c, s
	}},
}

func serve(t *testing.T, change func(*ListenConfig)) (Listener, tls.Certificate) {
	t.Helper()
	cert, err := DevCertificate(time.Now(), "127.0.0.1")
	require.NoError(t, err)
	cfg := ListenConfig{Addr: "127.0.0.1:0", TLS: Serving(cert)}
	if change != nil {
		change(&cfg)
	}
	l, err := Listen(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l, cert
}

func quicPair(t *testing.T) (client, server Conn) {
	l, cert := serve(t, nil)
	client, err := Dial(t.Context(), l.Addr().String(), DialConfig{TLS: Pinned(Pin(cert))})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close(0, "") })
	_, err = client.Write(hello())
	require.NoError(t, err)
	server, err = l.Accept(t.Context())
	require.NoError(t, err)
	got, err := NewReader(server, wire.MaxClientFrame).Next()
	require.NoError(t, err)
	require.Equal(t, hello(), got)
	return client, server
}

func hello() []byte { return wire.AppendFrame(nil, &wire.ClientHello{Version: "1"}) }

func TestFramesAndDatagramsGoBothWays(t *testing.T) {
	for _, c := range carriers {
		t.Run(c.name, func(t *testing.T) {
			client, server := c.pair(t)
			for _, ends := range [][2]Conn{{client, server}, {server, client}} {
				_, err := ends[0].Write(hello())
				require.NoError(t, err)
				got, err := NewReader(ends[1], 100).Next()
				require.NoError(t, err)
				require.Equal(t, hello(), got)

				require.True(t, ends[0].Datagrams())
				require.NoError(t, ends[0].SendDatagram([]byte("newest")))
				gram, err := ends[1].ReceiveDatagram(t.Context())
				require.NoError(t, err)
				require.Equal(t, "newest", string(gram))
				require.ErrorIs(t, ends[0].SendDatagram(make([]byte, MaxDatagram+1)), ErrTooLarge)
			}
		})
	}
}

func TestCloseCarriesItsReason(t *testing.T) {
	for _, c := range carriers {
		t.Run(c.name, func(t *testing.T) {
			client, server := c.pair(t)
			require.NoError(t, server.Close(wire.ReasonSlow, "it does not read"))
			var closed *ClosedError
			_, err := client.Read(make([]byte, 10))
			require.ErrorAs(t, err, &closed)
			require.Equal(t, &ClosedError{Remote: true, Reason: wire.ReasonSlow, Text: "it does not read"}, closed)
			require.ErrorIs(t, err, net.ErrClosed)
			_, err = server.Read(make([]byte, 10))
			require.ErrorAs(t, err, &closed)
			require.False(t, closed.Remote)
			_, err = client.ReceiveDatagram(t.Context())
			require.Error(t, err)
		})
	}
}

func TestWriteBlocksUntilCloseWhenNobodyReads(t *testing.T) {
	for _, c := range carriers {
		t.Run(c.name, func(t *testing.T) {
			client, server := c.pair(t)
			done := make(chan error)
			go func() {
				var err error
				for err == nil {
					_, err = server.Write(make([]byte, 64<<10))
				}
				done <- err
			}()
			require.NoError(t, client.Close(0, "bye"))
			require.ErrorIs(t, <-done, net.ErrClosed)
		})
	}
}

func TestTryWriteNeverBlocks(t *testing.T) {
	for _, c := range carriers {
		t.Run(c.name, func(t *testing.T) {
			client, server := c.pair(t)
			frames := hello()
			require.True(t, server.TryWrite(frames))
			_, err := server.Write(frames)
			require.NoError(t, err)
			require.True(t, server.TryWrite(frames))
			got := make([]byte, 3*len(frames))
			_, err = io.ReadFull(client, got)
			require.NoError(t, err)
			require.Equal(t, bytes.Repeat(frames, 3), got)

			taken := 0
			for server.TryWrite(make([]byte, 1<<10)) {
				taken += 1 << 10
				require.LessOrEqual(t, taken, 1<<20, "nobody reads")
			}
			require.NoError(t, client.Close(0, "bye"))
			_, err = server.Read(make([]byte, 1))
			require.ErrorIs(t, err, net.ErrClosed)
			require.True(t, server.TryWrite(frames), "Read has told")
		})
	}
}

func TestPipeLosesWhatTheHookDrops(t *testing.T) {
	n := 0
	client, server := Pipe(PipeConfig{Drop: func(toServer bool, b []byte) bool {
		require.True(t, toServer)
		n++
		return n == 1
	}})
	require.NoError(t, client.SendDatagram([]byte("lost")))
	require.NoError(t, client.SendDatagram([]byte("kept")))
	got, err := server.ReceiveDatagram(t.Context())
	require.NoError(t, err)
	require.Equal(t, "kept", string(got))
}

func TestMemoryListener(t *testing.T) {
	m := NewMemory(PipeConfig{})
	go func() {
		s, err := m.Accept(context.Background())
		if err == nil {
			_, _ = s.Write(hello())
		}
	}()
	c, err := m.Dial(t.Context())
	require.NoError(t, err)
	got, err := NewReader(c, 100).Next()
	require.NoError(t, err)
	require.Equal(t, hello(), got)
	require.NoError(t, m.Close())
	_, err = m.Dial(t.Context())
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestListenRefusesWhatItCannotServe(t *testing.T) {
	_, err := Listen(ListenConfig{Addr: "127.0.0.1:0"})
	require.ErrorIs(t, err, ErrNoCertificate)
	l, cert := serve(t, nil)
	_, err = Listen(ListenConfig{Addr: l.Addr().String(), TLS: Serving(cert)})
	require.ErrorContains(t, err, "address already in use")
	_, err = Listen(ListenConfig{Addr: "127.0.0.1:0", TLS: Serving(cert), ResetKey: []byte("short")})
	require.ErrorContains(t, err, "reset key of 5 bytes, want 32")
}

func TestPinnedRefusesAnotherCertificate(t *testing.T) {
	l, _ := serve(t, nil)
	other, err := DevCertificate(time.Now())
	require.NoError(t, err)
	_, err = Dial(t.Context(), l.Addr().String(), DialConfig{TLS: Pinned(Pin(other))})
	require.ErrorContains(t, err, "not the pinned one")
}

func TestConnectionWithoutStreamEnds(t *testing.T) {
	l, cert := serve(t, func(c *ListenConfig) { c.StreamTimeout = time.Millisecond })
	c, err := Dial(t.Context(), l.Addr().String(), DialConfig{TLS: Pinned(Pin(cert))})
	require.NoError(t, err)
	defer c.Close(0, "")
	_, err = c.Read(make([]byte, 1))
	var closed *ClosedError
	require.ErrorAs(t, err, &closed)
	require.Equal(t, wire.ReasonNoHello, closed.Reason)
}

// TestAcceptEndsWithTheSocket: who accepts hears that nobody will come.
func TestAcceptEndsWithTheSocket(t *testing.T) {
	cert, err := DevCertificate(time.Now(), "127.0.0.1")
	require.NoError(t, err)
	l, err := Listen(ListenConfig{Addr: "127.0.0.1:0", TLS: Serving(cert)})
	require.NoError(t, err)
	require.NoError(t, l.(*quicListener).udp.Close())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = l.Accept(ctx)
	require.ErrorIs(t, err, net.ErrClosed)
	_ = l.Close() // the socket is closed already
}
