package wire

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
)

func TestOutboxGivesOutOfSlabs(t *testing.T) {
	var out Outbox
	from := do.ObjectChannel(do.WellKnown(1))
	for i := range 3 * slab {
		u := out.Update()
		require.Equal(t, Update{}, *u)
		u.DO = do.WellKnown(uint64(i + 1))
		d := out.Done()
		d.Context = uint32(i)
		out.SendTo(do.ObjectChannel(u.DO), from, u)
		out.SendTo(do.ObjectChannel(u.DO), from, d)
	}
	require.Len(t, out.Messages, 6*slab)
	for i := range 3 * slab {
		u, d := out.Messages[2*i], out.Messages[2*i+1]
		require.Equal(t, do.WellKnown(uint64(i+1)), u.Body.(*Update).DO, "what was given stays as it was")
		require.Equal(t, []do.Channel{do.ObjectChannel(do.WellKnown(uint64(i + 1)))}, u.To)
		require.Equal(t, uint32(i), d.Body.(*Done).Context)
	}
}

func TestRules15And16NobodyToSendTo(t *testing.T) {
	var out Outbox
	out.SendTo(do.Channel{}, do.AllClients(), &Tick{})
	out.Send(nil, do.AllClients(), &Tick{})
	require.Empty(t, out.Messages)
}

func TestRecipientsOfOneMessageCannotGrowIntoTheNext(t *testing.T) {
	var out Outbox
	a := out.One(do.AllClients())
	b := out.One(do.Control(do.RoleDatabase))
	_ = append(a, do.Channel{})
	require.Equal(t, do.Control(do.RoleDatabase), b[0])
}

// A batch shares its slabs: what a message costs on average is well below one allocation.
func TestOutboxAllocatesPerSlab(t *testing.T) {
	var out Outbox
	to := do.ObjectChannel(do.WellKnown(1))
	perSlab := testing.AllocsPerRun(100, func() {
		for range slab {
			out.SendTo(to, to, out.Update())
		}
		out.Reset()
	})
	require.LessOrEqual(t, perSlab, 2.0, "allocations for %d messages: one slab of bodies, one of recipients", slab)
	require.Zero(t, testing.AllocsPerRun(slab-2, func() {
		out.SendTo(to, to, out.Update())
		out.Reset()
	}), "per message, rounded down")
}
