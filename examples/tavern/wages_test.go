package tavern

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/ai/jobs"
	"github.com/otpd/otpd/do"
)

// work is one shift.
func (p *player) work(a *AvatarCL) (w Promise) {
	require.NoError(p.t, p.do(func(ctx context.Context) (err error) {
		w, err = a.Work.Call(ctx, Shift{})
		return err
	}))
	return w
}

// stored is the avatar as the database has it.
func (c *cluster) stored(id do.ID) *Avatar {
	var a *Avatar
	require.NoError(c.t, c.world.repo.DoWait(c.t.Context(), func(ctx context.Context) error {
		row, err := ai.Load[Avatar](ctx, c.world.repo, id)
		a = row.Object
		return err
	}))
	return a
}

func TestT25WagesArePaidToWhoIsThereAndToWhoIsNot(t *testing.T) {
	c := newCluster(t)
	p := c.player()
	_, err := p.register("flippy", secret)
	require.NoError(t, err)
	at, err := p.enter("Flippy")
	require.NoError(t, err)
	a := p.avatar(at.Avatar)
	require.Equal(t, Promise{Shift: 1, Wage: Wage}, p.work(a))
	require.Eventually(t, func() bool {
		gold := int64(0)
		err := p.do(func(context.Context) error {
			gold = a.Gold
			return nil
		})
		return err == nil && gold == 10000+Wage
	}, time.Minute, 2*time.Millisecond, "its owner hears of it")

	for n := int64(2); n <= 5; n++ {
		require.Equal(t, Promise{Shift: n, Wage: Wage}, p.work(a))
	}
	require.NoError(t, p.leave())
	require.Eventually(t, func() bool { return c.stored(at.Avatar).Gold == 10000+5*Wage }, time.Minute, 5*time.Millisecond)
	require.EqualValues(t, 5, c.stored(at.Avatar).PaidShift)

	// Done a second time, a job pays nothing.
	require.NoError(t, c.world.repo.DoWait(t.Context(), func(ctx context.Context) error {
		return c.world.pay(ctx, jobs.Task{}, wagesDue{Avatar: at.Avatar, Shift: 4})
	}))
	require.EqualValues(t, 10000+5*Wage, c.stored(at.Avatar).Gold)
	require.ErrorIs(t, c.world.repo.DoWait(t.Context(), func(ctx context.Context) error {
		return c.world.pay(ctx, jobs.Task{}, wagesDue{Avatar: do.NewID(1, 1, 1), Shift: 1})
	}), jobs.ErrPermanent)

	// One that an attempt before could not put to sleep again is not left there: its player would wait for it in vain.
	require.NoError(t, c.world.repo.DoWait(t.Context(), func(ctx context.Context) error {
		_, err := ai.Activate[AvatarAI](ctx, c.world.repo, at.Avatar, ai.Place{})
		return err
	}))
	require.NoError(t, c.world.repo.DoWait(t.Context(), func(ctx context.Context) error {
		return c.world.pay(ctx, jobs.Task{}, wagesDue{Avatar: at.Avatar, Shift: 5})
	}))

	back, err := p.enter("Flippy")
	require.NoError(t, err)
	require.EqualValues(t, 10000+5*Wage, back.Gold)
	require.Equal(t, Promise{Shift: 6, Wage: Wage}, p.work(p.avatar(back.Avatar)), "they are counted on")
}
