package stateserver

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// stir notes that something of the place was published, so that a digest of it is due.
func (s *State) stir(p *place) {
	if !p.changed {
		p.changed = true
		s.changed = append(s.changed, p)
	}
}

// digestsDue publishes, once in DigestInterval, a digest of each place in which something changed, empty ones too: so
// that even a lost last message is found. Where an object waits for its parent's word the digest waits, too: the
// parent may have it in its list already.
func (s *State) digestsDue(out *wire.Outbox) {
	if s.now < s.nextDigest {
		return
	}
	s.nextDigest = s.now + int64(s.cfg.DigestInterval)
	places := s.changed
	s.changed = nil
	for _, p := range places {
		if p.waiting > 0 {
			s.changed = append(s.changed, p)
			continue
		}
		out.Send(p.to, s.self, p.digest())
		p.changed, p.had = false, nil
		s.forget(p)
	}
	s.tellHeld(out)
	s.tellGrounds(out)
}

// tellGrounds tells those below parents the version of the last set that was about their zones, or of the last move of one
// that is watched from below: no digest of a location has it, because who is below an object need not see the object.
func (s *State) tellGrounds(out *wire.Outbox) {
	if len(s.grounds) == 0 {
		return
	}
	last := make(map[do.ID]do.Version, len(s.grounds))
	for _, g := range s.grounds {
		last[g.DO] = g.Version
	}
	for _, g := range s.grounds {
		if last[g.DO] == g.Version && s.objects[g.DO] != nil {
			out.SendTo(do.Children(g.DO), s.self, &wire.GroundDigest{DO: g.DO, Version: g.Version})
		}
	}
	s.grounds = s.grounds[:0]
}

// digest sums up the members, and the partitions that had one since the last digest.
func (p *place) digest() *wire.Digest {
	d := &wire.Digest{Location: p.loc}
	var parts partSums
	for _, had := range p.had {
		parts.of(had)
	}
	for _, o := range p.members {
		part := parts.of(o.id.Partition())
		part.Count++
		part.Sum += wire.DigestOf(o.id, o.version())
	}
	slices.SortFunc(parts.list, func(a, b wire.DigestPart) int { return int(a.Partition) - int(b.Partition) })
	d.Parts = parts.list
	return d
}

// partSums are the sums of a digest; a State has few partitions.
type partSums struct{ list []wire.DigestPart }

// of is the sum of one partition, made if there is none.
func (s *partSums) of(p do.Partition) *wire.DigestPart {
	for i := range s.list {
		if s.list[i].Partition == p {
			return &s.list[i]
		}
	}
	s.list = append(s.list, wire.DigestPart{Partition: p})
	return &s.list[len(s.list)-1]
}
