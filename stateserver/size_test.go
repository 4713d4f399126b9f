package stateserver

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// An object costs what Go's allocator gives out for its size: 128 is a size class, the next one is 144.
func TestMemoryOfAnObject(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(object{}), uintptr(128))
	require.LessOrEqual(t, unsafe.Sizeof(child{}), uintptr(48))
	require.Len(t, packValues([][]byte{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}), 21)
}
