package messagedirector

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// A repository shows what it wrote before that is acknowledged, and its next writes are built on it. When a link starts
// over, what it sent there may be lost; if its later writes arrived all the same, they would be half of something. So
// from when a link starts over until the repository has taken wire.LinkLost, what it sends there is dropped: it counts
// as lost anyway.

// Builds says that what the participant sends is built on what it sent before: it is a repository. It is called before
// the first Route.
func (p *Participant) Builds() { p.member.builds = true }

// loss is a link that started over.
type loss struct {
	peer   *Inbox
	member *Member
}

// hears puts the LinkLost of a link that started over into the participant's inbox.
func (p *Participant) hears(of *peer, body *wire.LinkLost) {
	if !p.member.builds {
		p.answer(do.Control(do.RoleDirector), body)
		return
	}
	control := do.Control(do.RoleDirector)
	m := wire.Message{To: []do.Channel{control}, From: control, Body: body}
	in, l := p.inbox, loss{of.member.inbox, p.member}
	in.mu.Lock()
	if in.err != nil {
		in.mu.Unlock()
		l.taken()
		return
	}
	in.losses = append(in.losses, l)
	in.putLocked(&m, baseWeight, new(clock))
}

// hear is called when all that has accumulated is taken, or dropped, under mu. The queue to a peer has no losses, so no
// two inboxes wait for each other.
func (in *Inbox) hear() {
	for _, l := range in.losses {
		l.taken()
	}
	clear(in.losses)
	in.losses = in.losses[:0]
}

// taken notes that the member knows of the loss.
func (l loss) taken() {
	l.peer.mu.Lock()
	defer l.peer.mu.Unlock()
	if l.peer.unheard[l.member]--; l.peer.unheard[l.member] <= 0 {
		delete(l.peer.unheard, l.member)
	}
}

// deafen begins to drop what repositories of this process send to a peer. It is called under the director's mu, before
// the link starts over; all of them hear of that under the same lock.
func (in *Inbox) deafen(participants []*Participant) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, p := range participants {
		if !p.member.builds {
			continue
		}
		if in.unheard == nil {
			in.unheard = make(map[*Member]int)
		}
		in.unheard[p.member]++
	}
}

// deafTo reports whether what a member sends is dropped. It is called under mu.
func (in *Inbox) deafTo(from *Member) bool { return len(in.unheard) > 0 && in.unheard[from] > 0 }
