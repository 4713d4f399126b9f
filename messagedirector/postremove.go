package messagedirector

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// postRemoves are the messages that are routed when a member goes, by key (rule 10). The zero value has none.
type postRemoves struct {
	keys map[do.Channel]*keyed
	next uint64
}

// keyed is what was stored under one key, in the order of adding; since is when the first of it was added.
type keyed struct {
	since    uint64
	messages []wire.Message
}

func (p *postRemoves) add(key do.Channel, m wire.Message) {
	if p.keys == nil {
		p.keys = map[do.Channel]*keyed{}
	}
	k := p.keys[key]
	if k == nil {
		p.next++
		k = &keyed{since: p.next}
		p.keys[key] = k
	}
	k.messages = append(k.messages, m)
}

func (p *postRemoves) clear(key do.Channel) { delete(p.keys, key) }

// sorted returns the keys by when the first message was added under them.
func (p *postRemoves) sorted() []do.Channel {
	keys := make([]do.Channel, 0, len(p.keys))
	for key := range p.keys {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b do.Channel) int {
		if p.keys[a].since < p.keys[b].since {
			return -1
		}
		return 1
	})
	return keys
}

// all returns the messages: keys by age, and each key's messages in the order of adding.
func (p *postRemoves) all() []wire.Message {
	var out []wire.Message
	for _, key := range p.sorted() {
		out = append(out, p.keys[key].messages...)
	}
	return out
}

// take empties p and returns its messages.
func (p *postRemoves) take() []wire.Message {
	out := p.all()
	p.keys = nil
	return out
}
