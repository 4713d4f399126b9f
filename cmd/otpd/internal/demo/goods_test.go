package demo

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/cmd/otpd/internal/daemon"
	"github.com/otpd/otpd/fields"
)

func TestGoodsAreCounted(t *testing.T) {
	s, err := schema()
	require.NoError(t, err)
	class := s.Class("Avatar")
	avatar := func(gold, mugs int64) daemon.Object {
		return daemon.Object{Class: "Avatar", Fields: fields.MapOf(
			fields.Pair{Number: class.FieldByName("Gold").Number, Value: fields.AppendInt(nil, gold)},
			fields.Pair{Number: class.FieldByName("Mugs").Number, Value: fields.AppendInt(nil, mugs)},
		)}
	}
	truth := []daemon.Object{avatar(10, 4), {Class: "Keg"}, avatar(7, 0)}
	g, err := goodsOf(truth, s)
	require.NoError(t, err)
	require.Equal(t, goods{17, 4}, g)

	sum := Summary{GoldLost: -1}
	require.ErrorContains(t, sum.judge(Options{}, 0), "1 gold too many")
	sum = Summary{MugsLost: 2}
	require.ErrorContains(t, sum.judge(Options{}, 0), "2 mugs too few")
	sum = Summary{}
	require.NoError(t, sum.judge(Options{}, 0))
}
