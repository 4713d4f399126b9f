package clientagent

import (
	"cmp"
	"slices"
)

// grips are the grips of one session, by alias: a hash table with linear probing. Aliases that follow each other, as those of
// an opening do, lie next to each other in it, where a map scatters them: in the memory of thousands of objects that is what
// takes the time. The zero value is empty.
type grips struct {
	slots []gripSlot // a power of two of them, more than are taken; nil: none
	n     int
}

type gripSlot struct {
	alias uint32
	grip  *grip // nil: free
}

const (
	// gripRun is how many aliases in a row have slots in a row.
	gripRun = 8
	// leastGrips is how many slots there are if there are any.
	leastGrips = 8
)

func (t *grips) len() int { return t.n }

// home is where the search for an alias begins.
func (t *grips) home(alias uint32) int {
	const golden = 0x9e3779b97f4a7c15 // Fibonacci hashing: Knuth, The Art of Computer Programming 3, 6.4
	run := uint64(alias/gripRun) * golden >> 32
	return int(uint32(run)*gripRun|alias%gripRun) & (len(t.slots) - 1)
}

// find is the slot of an alias, or the free one where it belongs. There are slots.
func (t *grips) find(alias uint32) int {
	i := t.home(alias)
	for t.slots[i].grip != nil && t.slots[i].alias != alias {
		i = (i + 1) & (len(t.slots) - 1)
	}
	return i
}

// get is the grip of an alias, nil if there is none.
func (t *grips) get(alias uint32) *grip {
	if t.n == 0 {
		return nil
	}
	return t.slots[t.find(alias)].grip
}

// put takes a grip in.
func (t *grips) put(alias uint32, g *grip) {
	if 4*(t.n+1) > 3*len(t.slots) {
		t.resize(max(leastGrips, 2*len(t.slots)))
	}
	i := t.find(alias)
	if t.slots[i].grip == nil {
		t.n++
	}
	t.slots[i] = gripSlot{alias, g}
}

// remove takes the grip of an alias out, and moves up those that were behind it because of it.
func (t *grips) remove(alias uint32) {
	if t.n == 0 {
		return
	}
	mask := len(t.slots) - 1
	hole := t.find(alias)
	if t.slots[hole].grip == nil {
		return
	}
	t.n--
	for i := (hole + 1) & mask; t.slots[i].grip != nil; i = (i + 1) & mask {
		// One whose search begins behind the hole is found without it.
		if from := t.home(t.slots[i].alias); (i-from)&mask >= (i-hole)&mask {
			t.slots[hole] = t.slots[i]
			hole = i
		}
	}
	t.slots[hole] = gripSlot{}
	if t.n == 0 {
		t.slots = nil
	} else if 8*t.n < len(t.slots) && len(t.slots) > leastGrips {
		t.resize(len(t.slots) / 2)
	}
}

func (t *grips) resize(size int) {
	old := t.slots
	t.slots = make([]gripSlot, size)
	for _, s := range old {
		if s.grip != nil {
			t.slots[t.find(s.alias)] = s
		}
	}
}

// objects are what there are grips on, by alias.
func (t *grips) objects() []*object {
	held := make([]*object, 0, t.n)
	for _, s := range t.slots {
		if s.grip != nil {
			held = append(held, s.grip.o)
		}
	}
	slices.SortFunc(held, func(a, b *object) int { return cmp.Compare(a.alias, b.alias) })
	return held
}
