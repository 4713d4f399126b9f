package tavern

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
)

func TestBothEndsHaveOneSchema(t *testing.T) {
	server, err := AIRegistry()
	require.NoError(t, err)
	bot, err := (&Bot{}).registry()
	require.NoError(t, err)
	require.Equal(t, server.Schema().Fingerprint(), bot.Schema().Fingerprint(), "else each handshake has a second step")
}

func TestOnBuy(t *testing.T) {
	a := do.New[AvatarAI]()
	require.EqualValues(t, 10000, a.Gold)
	r, err := a.OnBuy(context.Background(), Order{Item: "mead"})
	require.NoError(t, err)
	require.Equal(t, Receipt{Item: "mead", Paid: 8, GoldLeft: 9992}, r)
	require.EqualValues(t, 99, a.HP)

	_, err = a.OnBuy(context.Background(), Order{Item: "milk"})
	require.ErrorIs(t, err, ErrNoSuchItem)
	a.Gold = 7
	_, err = a.OnBuy(context.Background(), Order{Item: "mead"})
	require.ErrorIs(t, err, ErrTooPoor)
	require.EqualValues(t, 7, a.Gold)
	a.OnSay("cheers")
	a.OnSay("cheers")
	require.EqualValues(t, 100, a.HP)
}

func TestSpawnIsOnTheStreet(t *testing.T) {
	zones := map[do.Zone]bool{}
	for i := range uint64(1000) {
		x, y, z := spawn(do.NewID(1, 1, i*7919))
		at, ok := Ground().ZoneAt(x, y)
		require.True(t, ok)
		require.Equal(t, z, at)
		zones[z] = true
	}
	require.Len(t, zones, cells*cells)
}
