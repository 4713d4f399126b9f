package accounts

import (
	"context"

	"github.com/otpd/otpd/do"
)

// turns lets handlers that concern one account go one after the other. It has one owner, the repository's loop.
type turns struct {
	taken map[do.ID][]*turn // present: taken; the list: who waits, in order
	wait  func(ctx context.Context, what string, start func(done func(error))) error
}

// turn is one that waits.
type turn struct {
	mine bool // it has been given
	done func(error)
}

// take waits until nobody else has id. An error means that it was not taken.
func (t *turns) take(ctx context.Context, id do.ID) error {
	queue, taken := t.taken[id]
	if !taken {
		t.taken[id] = nil
		return nil
	}
	me := &turn{}
	err := t.wait(ctx, "wait for the account's turn", func(done func(error)) {
		me.done = done
		t.taken[id] = append(queue, me)
	})
	if err != nil {
		t.abandon(id, me)
	}
	return err
}

// abandon takes out one that waits no more; if its turn came meanwhile it goes on to the next.
func (t *turns) abandon(id do.ID, me *turn) {
	if me.mine {
		t.give(id)
		return
	}
	queue := t.taken[id]
	for i, o := range queue {
		if o == me {
			t.taken[id] = append(queue[:i:i], queue[i+1:]...)
		}
	}
}

// give passes id on to who has waited longest.
func (t *turns) give(id do.ID) {
	queue := t.taken[id]
	if len(queue) == 0 {
		delete(t.taken, id)
		return
	}
	t.taken[id] = queue[1:]
	queue[0].mine = true
	queue[0].done(nil)
}
