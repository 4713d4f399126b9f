package repository

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// takeover is an object, and all that inherits below it, on its way to this AI (rule 48).
type takeover struct {
	named   map[do.ID]bool // of whom word is to come
	done    map[do.ID]bool // of whom it came, maybe before they were named: States overtake each other
	waiting []*waiter
	err     error
}

func (t *takeover) complete() bool {
	for id := range t.named {
		if !t.done[id] {
			return false
		}
	}
	return true
}

// TakeOver makes this the AI of an object, and waits until that and all that inherits from it, in whatever State, is
// here.
func (a *AI) TakeOver(ctx context.Context, id do.ID) error {
	if a.takeovers[id] != nil {
		return fmt.Errorf("repository: take over %s: %w", id, &wire.Error{Code: wire.CodeOverload, Text: "it is being taken over"})
	}
	t := &takeover{named: map[do.ID]bool{id: true}, done: make(map[do.ID]bool)}
	a.takeovers[id] = t
	defer delete(a.takeovers, id)
	if err := a.SetAI(ctx, id, a.channel); err != nil {
		return err
	}
	if t.err == nil && !t.complete() {
		w := &waiter{what: "take over " + id.String(), ctx: ctx}
		t.waiting = append(t.waiting, w)
		if _, err := a.await(w, a.deadline(ctx)); err != nil {
			return fmt.Errorf("repository: take over %s: %w", id, err)
		}
	}
	if t.err != nil {
		return fmt.Errorf("repository: take over %s: %w", id, t.err)
	}
	return nil
}

// hearAIEntered ticks off who has entered, and wakes who waits for the last.
func (a *AI) hearAIEntered(b *wire.AIEntered) {
	t := a.takeovers[b.Root]
	if t == nil {
		return
	}
	for _, id := range b.Elsewhere {
		t.named[id] = true
	}
	for _, id := range b.DOs {
		t.done[id] = true
	}
	if t.complete() {
		t.end(a, nil)
	}
}

// loseTakeovers ends the waits of which a message may have been lost.
func (a *AI) loseTakeovers() {
	for _, id := range slices.SortedFunc(maps.Keys(a.takeovers), do.ID.Compare) {
		a.takeovers[id].end(a, &wire.Error{Code: wire.CodeLinkLost})
	}
}

func (t *takeover) end(a *AI, err error) {
	t.err = err
	for _, w := range t.waiting {
		a.wake(w, nil, nil)
	}
	t.waiting = nil
}
