package clientagent

import (
	"cmp"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// roll is the parent's list of children elsewhere as far as it came, and what of it is not accounted for. The States answer
// in the order in which the list has their partitions' objects, so ticking one off is looking at the next; only what is
// answered out of order is looked for in a map.
type roll struct {
	parts []rollPart // ascending by partition
	last  int        // index of the part that was ticked last
	early map[do.ID]struct{}
}

// rollPart is the list of one partition.
type rollPart struct {
	partition do.Partition
	runs      [][]wire.Listed    // pieces of the chunks, which are never changed; nothing is missing before the front
	rest      map[do.ID]struct{} // what is missing, once the order did not hold; runs are empty then
}

// part is the place of a partition among the parts.
func (r *roll) part(p do.Partition) (int, bool) {
	if r.last < len(r.parts) && r.parts[r.last].partition == p {
		return r.last, true
	}
	return slices.BinarySearchFunc(r.parts, p, func(part rollPart, p do.Partition) int { return cmp.Compare(part.partition, p) })
}

// list adds a chunk of the list. What came early is not waited for (rule 110).
func (r *roll) list(chunk []wire.Listed) {
	for len(chunk) > 0 {
		p := chunk[0].DO.Partition()
		n := 0
		for n < len(chunk) && chunk[n].DO.Partition() == p && !r.cameEarly(chunk[n].DO) {
			n++
		}
		if n == 0 {
			delete(r.early, chunk[0].DO)
			chunk = chunk[1:]
			continue
		}
		i, ok := r.part(p)
		if !ok {
			r.parts = slices.Insert(r.parts, i, rollPart{partition: p})
		}
		r.parts[i].list(chunk[:n:n])
		r.last = i
		chunk = chunk[n:]
	}
}

func (r *roll) cameEarly(id do.ID) bool {
	_, ok := r.early[id]
	return ok
}

func (p *rollPart) list(run []wire.Listed) {
	if p.rest == nil {
		p.runs = append(p.runs, run)
		return
	}
	for _, l := range run {
		p.rest[l.DO] = struct{}{}
	}
}

// tick accounts for an object, and reports whether it was listed and missing.
func (r *roll) tick(id do.ID) bool {
	i, ok := r.part(id.Partition())
	if !ok || !r.parts[i].tick(id) {
		return false
	}
	r.last = i
	return true
}

// done reports whether all that is listed is accounted for.
func (r *roll) done() bool {
	return !slices.ContainsFunc(r.parts, func(p rollPart) bool { return len(p.runs)+len(p.rest) > 0 })
}

func (p *rollPart) tick(id do.ID) bool {
	if len(p.runs) > 0 && p.runs[0][0].DO == id {
		if p.runs[0] = p.runs[0][1:]; len(p.runs[0]) == 0 {
			p.runs = p.runs[1:]
		}
		return true
	}
	if len(p.runs) > 0 {
		p.rest = map[do.ID]struct{}{}
		for _, run := range p.runs {
			p.list(run)
		}
		p.runs = nil
	}
	_, ok := p.rest[id]
	delete(p.rest, id)
	return ok
}

// came notes what is accounted for while the list is not complete, and was not on it so far.
func (r *roll) came(id do.ID) {
	if r.early == nil {
		r.early = map[do.ID]struct{}{}
	}
	r.early[id] = struct{}{}
}

// missing is what is listed and not accounted for, by partition, each ascending.
func (r *roll) missing() [][]do.ID {
	var all [][]do.ID
	for i := range r.parts {
		p := &r.parts[i]
		var ids []do.ID
		for _, run := range p.runs {
			for _, l := range run {
				ids = append(ids, l.DO)
			}
		}
		for id := range p.rest {
			ids = append(ids, id)
		}
		if len(ids) > 0 {
			slices.SortFunc(ids, do.ID.Compare)
			all = append(all, ids)
		}
	}
	return all
}
