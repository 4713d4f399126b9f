package stateserver

import (
	"slices"
	"strconv"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// Nothing is its own ancestor (rule 29). Before an object gets another parent the chain above that is looked at. What
// lies in this State is decided in the Step; where the chain goes on in another State a Probe walks it, and the object
// waits, with what comes for it, until the answer.
//
// Moves under way at the same time must not make a cycle together. So an object that waits is in motion, and a walk
// that meets it either has the lower DoID and goes on, in which case the other's walk begins again, or waits until that
// is decided. A move that is decided within one Step never waits: it makes who it meets begin again.
//
// An object with nothing below it cannot be in the chain of its new parent, whatever is above that: most moves need no
// walk, and below a parent in another State only a word with that, which counts as one with a child from then on. In
// detail: the last move of a cycle to be done has its child in the cycle on record when its last walk begins; that walk
// misses a link only if the link's own walk begins later and comes by here, where it waits or makes this one begin
// again.

// motion is a message that waits for the chains above its moves to be walked.
type motion struct {
	message wire.Message
	parking *parking
	moves   []planned
	next    int    // of moves: whose chain is being walked
	context uint32 // of its Probe
	again   bool   // what was walked may have changed: begin again
	until   int64
	decided bool
	waiting []*wire.Probe // of moves of higher rank, for this to be decided
}

// planned is a move that a message has yet to make.
type planned struct {
	id, parent do.ID
	step       int // of a bundle; below 0: it is none
}

// expectFor is how long a parent counts as one with a child after an arrival was announced that did not come: longer
// than any move waits.
const expectFor = int64(time.Minute)

// unborn is until when an object that is not there is expected to have children, once one in another State said so.
const unborn = int64(1)<<62 - 1

// lead is the rank of the motion: the lower goes first.
func lead(moves []planned) do.ID {
	low := moves[0].id
	for _, m := range moves[1:] {
		if m.id.Compare(low) < 0 {
			low = m.id
		}
	}
	return low
}

// leaf reports whether nothing is below an object, and nothing is on its way there.
func (s *State) leaf(id do.ID) bool {
	if f := s.families[id]; f != nil && f.members+f.away > 0 {
		return false
	}
	if len(s.expected) == 0 {
		return true
	}
	return s.expected[id] <= s.now
}

// expect notes that a child of another State, or one in motion, may arrive below the object.
func (s *State) expect(id do.ID, until int64) {
	if s.now >= s.nextPrune {
		s.nextPrune = s.now + expectFor
		for id, until := range s.expected {
			if until <= s.now {
				delete(s.expected, id)
			}
		}
	}
	s.expected[id] = max(until, s.expected[id])
}

// verdict is what is known of a chain.
type verdict uint8

const (
	free    verdict = iota // the mover is not in it
	cyclic                 // it is
	unknown                // the chain leaves this State
)

// survey walks a chain as far as it lies in this State, with the moves of plan made, and gathers the motions that it
// meets in met. It changes nothing.
func (s *State) survey(mover, parent do.ID, plan []planned, met *[]*motion) verdict {
	leaf := len(plan) == 0 && s.leaf(mover)
	for at := parent; !at.IsZero(); {
		if at == mover {
			return cyclic
		}
		if i := lastPlanned(plan, at); i >= 0 {
			at = plan[i].parent
			continue
		}
		if !s.mine(at) {
			return unknown
		}
		if mo := s.motions[at]; mo != nil {
			*met = append(*met, mo)
		}
		if leaf {
			return free
		}
		o := s.objects[at]
		if o == nil {
			return free
		}
		at = o.location().Parent
	}
	return free
}

// lastPlanned is the last move of id in plan, -1 if there is none.
func lastPlanned(plan []planned, id do.ID) int {
	for i := len(plan) - 1; i >= 0; i-- {
		if plan[i].id == id {
			return i
		}
	}
	return -1
}

// simple reports whether an object may go below parent without a look at anything: the usual case. Also for a message
// that is handled again because its walks are done.
func (s *State) simple(id, parent do.ID) bool {
	if s.cleared {
		s.cleared = false
		return true
	}
	return parent.IsZero() || parent != id && len(s.motions) == 0 && s.mine(parent) && s.leaf(id)
}

// surveyAll is survey for all moves of a message: the first that makes a cycle, or whether one leaves this State.
func (s *State) surveyAll(moves []planned) (code wire.Code, text string, away bool, met []*motion) {
	for i, mv := range moves {
		switch s.survey(mv.id, mv.parent, moves[:i], &met) {
		case cyclic:
			return wire.CodeCycle, mv.text(), false, nil
		case unknown:
			away = true
		}
	}
	return wire.CodeOK, "", away, met
}

// mayMove decides about the moves of m: CodeOK or CodeCycle, with the move that is refused. If it cannot be decided
// here, m waits in p, or in a parking of its own for ids if p is nil, and is handled again later: waits is true.
func (s *State) mayMove(m *wire.Message, ids []do.ID, moves []planned, p *parking, out *wire.Outbox) (code wire.Code, text string, waits bool) {
	code, text, away, met := s.surveyAll(moves)
	if code != wire.CodeOK || !away {
		for _, mo := range met {
			mo.again = true
		}
		return code, text, false
	}
	mo := &motion{message: *m, parking: p, moves: moves, until: s.now + int64(s.cfg.ProbeTimeout)}
	if p == nil {
		mo.parking = &parking{ids: ids}
		s.begin(mo.parking)
	}
	mo.parking.step, mo.parking.motion = parkProbe, mo
	for _, mv := range moves {
		s.motions[mv.id] = mo
	}
	s.travels = append(s.travels, mo)
	s.advance(mo, out)
	return wire.CodeOK, "", true
}

// text says which of several moves it is.
func (mv planned) text() string {
	if mv.step < 0 {
		return ""
	}
	return "step " + strconv.Itoa(mv.step) + ": " + mv.id.String()
}

// advance walks the chains of the moves that were not walked yet, until one of them leaves this State.
func (s *State) advance(mo *motion, out *wire.Outbox) {
	mo.again = false
	for ; mo.next < len(mo.moves); mo.next++ {
		mv, before := mo.moves[mo.next], mo.moves[:mo.next]
		mo.context = s.newContext()
		p := &wire.Probe{
			Context: mo.context, Asker: s.self, Mover: mv.id, Lead: lead(mo.moves), At: mv.parent,
			Arrival: true, Leaf: len(before) == 0 && s.leaf(mv.id),
		}
		for _, b := range before {
			p.Plan = append(p.Plan, wire.PlannedMove{DO: b.id, Parent: b.parent})
		}
		switch s.climb(p, out) {
		case cyclic:
			s.decided(mo, wire.CodeCycle, mv.text(), out)
			return
		case unknown:
			return
		}
	}
	s.decided(mo, wire.CodeOK, "", out)
}

// climb takes a Probe as far up as this State knows: unknown is that it goes on elsewhere, or waits here.
func (s *State) climb(p *wire.Probe, out *wire.Outbox) verdict {
	for at := p.At; !at.IsZero(); {
		if at == p.Mover {
			return cyclic
		}
		if i := slices.IndexFunc(p.Plan, func(m wire.PlannedMove) bool { return m.DO == at }); i >= 0 {
			for j := i + 1; j < len(p.Plan); j++ {
				if p.Plan[j].DO == at {
					i = j
				}
			}
			at, p.Arrival = p.Plan[i].Parent, false
			continue
		}
		next := *p
		next.At = at
		if !s.mine(at) {
			out.SendTo(do.ObjectChannel(at), s.self, &next)
			return unknown
		}
		if p.Arrival {
			s.expect(at, s.now+expectFor)
		}
		if mo := s.motions[at]; mo != nil && lead(mo.moves) != p.Lead {
			if lead(mo.moves).Compare(p.Lead) < 0 {
				mo.waiting = append(mo.waiting, &next)
				return unknown
			}
			mo.again = true
		}
		if p.Leaf {
			return free
		}
		o := s.objects[at]
		if o == nil {
			return free
		}
		at, p.Arrival = o.location().Parent, false
	}
	return free
}

// probe goes on with a walk that another State, or this one, began.
func (s *State) probe(b *wire.Probe, out *wire.Outbox) {
	p := *b // what was sent is never changed
	v := s.climb(&p, out)
	if v == unknown {
		return
	}
	answer := &wire.Probed{Context: p.Context, Mover: p.Mover, Cycle: v == cyclic}
	if p.Asker == s.self {
		s.probed(answer, out)
		return
	}
	out.SendTo(p.Asker, s.self, answer)
}

// probed takes the answer to a Probe; one to an earlier walk is late.
func (s *State) probed(b *wire.Probed, out *wire.Outbox) {
	mo := s.motions[b.Mover]
	switch {
	case mo == nil || mo.context != b.Context:
	case mo.again:
		mo.next = 0
		s.advance(mo, out)
	case b.Cycle:
		s.decided(mo, wire.CodeCycle, mo.moves[mo.next].text(), out)
	default:
		mo.next++
		s.advance(mo, out)
	}
}

// probeAgain begins all walks again: messages may have been lost.
func (s *State) probeAgain(out *wire.Outbox) {
	for _, mo := range slices.Clone(s.travels) {
		if !mo.decided {
			mo.next = 0
			s.advance(mo, out)
		}
	}
}

// expireMotions refuses moves whose chain could not be walked in time: nothing was done.
func (s *State) expireMotions(out *wire.Outbox) {
	for len(s.travels) > 0 && s.travels[0].until <= s.now {
		s.decided(s.travels[0], wire.CodeTimeout, "no answer about the parents", out)
	}
}

// decided ends a motion: its message is handled, or refused, then what waited for it goes on.
func (s *State) decided(mo *motion, code wire.Code, text string, out *wire.Outbox) {
	s.settle(mo)
	p := mo.parking
	switch {
	case p.held != nil:
		s.probedHeld(p, code, text, out)
	case p.record != nil:
		if code != wire.CodeOK {
			_ = s.fail(requestOf(&p.queue[0].Message), code, text, out)
			p.queue = p.queue[1:]
		}
		s.cleared = code == wire.CodeOK
		s.resume(p, out)
		s.cleared = false
	default:
		for _, id := range p.ids {
			delete(s.parked, id)
		}
		if code == wire.CodeOK {
			s.cleared = true
			_ = s.dispatch(&mo.message, out)
			s.cleared = false
		} else {
			_ = s.fail(requestOf(&mo.message), code, text, out)
		}
		s.release(p, out)
	}
	s.yield(mo, out)
}

// settle takes a motion off the record.
func (s *State) settle(mo *motion) {
	for _, mv := range mo.moves {
		delete(s.motions, mv.id)
	}
	mo.decided, mo.parking.motion = true, nil
	for len(s.travels) > 0 && s.travels[0].decided {
		s.travels = s.travels[1:]
	}
}

// yield goes on with the walks that waited for a motion.
func (s *State) yield(mo *motion, out *wire.Outbox) {
	waiting := mo.waiting
	mo.waiting = nil
	for _, p := range waiting {
		s.probe(p, out)
	}
}
