package clientagent

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/scenario"
	"github.com/otpd/otpd/wire"
)

// Positions come ten times a second from each client: to check one against its cell costs nothing but the arithmetic.
func TestCheckOfAPositionAllocatesNothing(t *testing.T) {
	s := newStage(t)
	commands, err := scenario.ParseCommands([]string{
		"classes zones.dc", "state state1 partitions=0,1", "agent", "generate #50 from=ai1 context=0 class=Street",
		"generate avatar1 from=ai1 context=0 class=Walker at=#50/100 Name=Flippy", "join client1",
		"setowner avatar1 from=ai1 context=0 owner=client1",
	}, 1)
	require.NoError(t, err)
	for _, c := range commands {
		_, err := s.run(c)
		require.NoError(t, err)
	}
	g := s.agent.gripOf(s.agent.sessions[s.clients["client1"].id], s.world.ID("avatar1"))
	to := target{id: g.o.id, class: g.o.class, g: g}
	number := g.o.class.Marked(fields.Position).Number
	at := func(x, y float32) []byte {
		return fields.AppendFloat32(fields.AppendFloat32(fields.AppendArrayHeader(nil, 2), x), y)
	}
	inside, outside := at(-15, -10), at(15, 10)
	require.True(t, s.agent.checkStandAt(&to, number, inside).ok())
	require.Equal(t, wire.CodePlace, s.agent.checkStandAt(&to, number, outside).code)
	require.Zero(t, testing.AllocsPerRun(200, func() { s.agent.checkStandAt(&to, number, inside) }))
	set := fields.MapOf(fields.Pair{Number: number, Value: inside})
	require.Zero(t, testing.AllocsPerRun(200, func() { s.agent.checkStand(&to, set) }))
}
