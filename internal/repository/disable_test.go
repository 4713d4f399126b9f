package repository

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// rule 160: an object hears that it leaves, once and with its values still there, before it is let go: disable out of
// view, delete out of the world.
func TestRule160LeavesAreHeardOnce(t *testing.T) {
	x := newPetTest(t, nil)
	a := x.enterPet(1, "Name", "Rex")
	x.heard()
	x.leave(1, wire.LeaveMoved)
	require.Equal(t, []string{"disable Rex"}, x.heard())
	require.ErrorIs(t, a.Save(), do.ErrDetached)
	x.cache = true
	b := x.enterPet(2, "Name", "Max")
	x.heard()
	x.leave(2, wire.LeaveDeleted)
	require.Equal(t, []string{"delete Max"}, x.heard())
	require.ErrorIs(t, b.Save(), do.ErrDetached)
}
