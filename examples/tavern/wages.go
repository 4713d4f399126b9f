package tavern

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/ai/jobs"
	"github.com/otpd/otpd/do"
)

// Wage is what a shift in the kitchen pays.
const Wage = 25

// wages is the job that pays: it is paid whatever becomes of the player, of this process or of the daemon after the shift.
const wages = "wages"

// wagesDue is one avatar's claim.
type wagesDue struct {
	Avatar do.ID
	Shift  int64
}

// payWages starts what pays them. Right after a crash the avatars of the process before may still be there, which takes
// some attempts.
func (w *World) payWages(cfg jobs.Config) (err error) {
	if w.worker, err = jobs.NewWorker(w.repo, cfg); err != nil {
		return err
	}
	policy := jobs.Policy{Attempts: 20, Backoff: 500 * time.Millisecond, Longest: 5 * time.Second}
	if err := jobs.Handle(w.worker, wages, policy, w.pay); err != nil {
		return err
	}
	w.worker.Start()
	return nil
}

// OnWork is a shift in the kitchen. Its pay is promised when the job is in the database; a second call with the outcome of
// the first unknown promises the same shift.
func (a *AvatarAI) OnWork(ctx context.Context, _ Shift) (Promise, error) {
	if a.world == nil || a.working {
		return Promise{}, ErrNoWork
	}
	a.working = true
	defer func() { a.working = false }()
	n := max(a.Shift, a.PaidShift) + 1
	due := wagesDue{Avatar: a.ID(), Shift: n}
	if _, err := jobs.Add(ctx, a.world.repo, wages, a.ID().String()+"/"+strconv.FormatInt(n, 10), due); err != nil {
		return Promise{}, err
	}
	a.Shift = max(a.Shift, n)
	a.world.worker.Look()
	return Promise{Shift: n, Wage: Wage}, nil
}

// pay pays what is due, once: how far an avatar is paid is in the row of its gold. One that is not on the street is
// brought to life, nowhere, for as long as it takes: so they are paid one after the other.
func (w *World) pay(ctx context.Context, _ jobs.Task, due wagesDue) error {
	for w.paying[due.Avatar] {
		if err := w.repo.Sleep(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	w.paying[due.Avatar] = true
	defer delete(w.paying, due.Avatar)
	a := ai.Find[AvatarAI](w.repo, due.Avatar)
	if a == nil {
		var err error
		a, err = ai.Activate[AvatarAI](ctx, w.repo, due.Avatar, ai.Place{})
		switch {
		case errors.Is(err, ai.CodeNoObject):
			return fmt.Errorf("tavern: pay %s: %w: %w", due.Avatar, jobs.ErrPermanent, err)
		case err != nil:
			return fmt.Errorf("tavern: pay %s: %w", due.Avatar, err)
		}
	}
	err := w.payOne(ctx, a, due.Shift)
	if a.Owner() == w.repo.Channel() { // nobody plays it: by this attempt or by one before
		err = errors.Join(err, w.repo.Unload(ctx, due.Avatar))
	}
	return err
}

func (w *World) payOne(ctx context.Context, a *AvatarAI, shift int64) error {
	if err := w.repo.Change(&a.Object); err != nil {
		return err
	}
	if a.PaidShift >= shift {
		return nil
	}
	// Shifts before this one whose jobs come later are paid with it.
	a.Gold += (shift - a.PaidShift) * Wage
	a.PaidShift = shift
	return a.Commit(ctx)
}
