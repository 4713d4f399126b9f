package sim

import (
	"context"
	"errors"
	"slices"

	"github.com/otpd/otpd/wire"
)

// payByTask pays from one of the AI's own vaults to another, without a call: what runs on the loop at any time counts
// with the values that are there then.
func (a *actor) payByTask() {
	all := a.ai.FindAll(func(x any) bool {
		v, ok := x.(*vaultAI)
		return ok && slices.Contains(a.vaults[v.ID().Partition()], v.ID())
	})
	if len(all) == 0 {
		return
	}
	from := pick(a.w, all).(*vaultAI)
	all = slices.DeleteFunc(all, func(x any) bool {
		v := x.(*vaultAI)
		return v == from || v.ID().Partition() != from.ID().Partition()
	})
	if len(all) == 0 {
		return
	}
	to, amount := pick(a.w, all).(*vaultAI), a.w.rand.Int64N(20)
	a.task(func(context.Context) error {
		if err := a.ai.Change(&from.Object, &to.Object); err != nil {
			return err
		}
		if from.Gold < amount {
			return errNo
		}
		from.Gold -= amount
		to.Gold += amount
		return nil
	}, func(err error) {
		switch {
		case err == nil:
			a.w.count.SwapsDone++
		case errors.Is(err, wire.CodeLinkLost):
			a.w.count.SwapsInDoubt++
		}
		a.attempt("pay", err)
	})
}

// hears gives an AI a message. Around the loss of a link it pays more than else: in the round in which it hears of that,
// too, before it does.
func (a *actor) hears(m wire.Message) {
	lost, _ := m.Body.(*wire.LinkLost)
	if lost != nil && len(lost.Hosts) > 0 {
		a.lostAt = a.w.now
	}
	busy := lost != nil && len(lost.Hosts) > 0 && a.w.playing && a.w.chance(50)
	a.run(func() {
		for i := 0; busy && i < 3; i++ {
			a.payByTask()
		}
		a.ai.Step(m, a.w.now+a.part.skew)
	})
	for i := 0; busy && i < 5; i++ {
		a.w.after(a.w.within(30*ms), func() {
			if a.alive() {
				a.run(a.payFromVault)
				a.run(a.payByTask)
			}
		})
	}
}
