package clientagent

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The table is a map: of runs of aliases, far ones, and such as fall on each other.
func TestGripsAreAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table grips
		want := map[uint32]*grip{}
		next := uint32(1)
		alias := func() uint32 {
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				return rapid.Uint32().Draw(t, "any")
			case 1:
				return rapid.Uint32Max(40).Draw(t, "low")
			}
			return rapid.Uint32Max(next).Draw(t, "near")
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				for range rapid.IntRange(1, 100).Draw(t, "run") {
					g := &grip{o: &object{alias: next}}
					table.put(next, g)
					want[next] = g
					next++
				}
			case 1:
				a := alias()
				g := &grip{o: &object{alias: a}}
				table.put(a, g)
				want[a] = g
			case 2:
				a := alias()
				for range rapid.IntRange(1, 150).Draw(t, "removed") {
					table.remove(a)
					delete(want, a)
					a++
				}
			}
			a := alias()
			require.Same(t, want[a], table.get(a))
			require.Equal(t, len(want), table.len())
			require.LessOrEqual(t, len(table.slots), max(leastGrips, 8*len(want)), "it shrinks")
		}
		for a, g := range want {
			require.Same(t, g, table.get(a))
		}
		objects := table.objects()
		require.Len(t, objects, len(want))
		for i, o := range objects {
			require.Same(t, want[o.alias].o, o)
			require.True(t, i == 0 || objects[i-1].alias < o.alias)
		}
	})
}

// Aliases at whatever distance from each other are found within few steps: runs do not pile up.
func TestGripsDoNotPileUp(t *testing.T) {
	for _, apart := range []uint32{1, 2, 7, 8, 16, 64, 1000, 4096, 1 << 16} {
		var table grips
		const n = 10_000
		for i := range uint32(n) {
			table.put(1+i*apart, &grip{})
		}
		steps := 0
		for i := range uint32(n) {
			steps += (table.find(1+i*apart) - table.home(1+i*apart)) & (len(table.slots) - 1)
		}
		require.Less(t, steps, 8*n, "%d apart", apart)
	}
}

func TestQueueIsAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue[int]
		var want []int
		for i := range rapid.IntRange(1, 30).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "add") {
				for range rapid.IntRange(1, 3*queuePage).Draw(t, "added") {
					q.add(i)
					want = append(want, i)
				}
			} else {
				n := rapid.IntRange(0, len(want)).Draw(t, "dropped")
				q.drop(n)
				want = want[n:]
			}
			require.Equal(t, len(want), q.len())
			for i := range want {
				require.Equal(t, want[i], *q.at(i))
			}
			require.LessOrEqual(t, len(q.pages), (len(want)+q.first)/queuePage+1)
			require.Less(t, q.first, queuePage)
		}
	})
}
