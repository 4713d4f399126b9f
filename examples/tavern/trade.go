package tavern

import (
	"context"
	"errors"
	"fmt"

	"github.com/otpd/otpd/ai"
)

// Errors that a buyer gets, as the text of a code: NoObject where there is nobody to buy from, else Conflict.
var (
	ErrNoSeller = errors.New("there is nobody of that name to buy from")
	ErrPrice    = errors.New("that is not the price")
	ErrNoMugs   = errors.New("there are not so many mugs")
)

// tradeTries is how often a trade is tried while others trade with the same avatars.
const tradeTries = 5

// OnTrade buys mugs of another avatar at the price that its player has posted. Gold and mugs change hands in one transaction
// of the database, wherever the two avatars live: whatever dies meanwhile, nothing is lost and nothing is there twice.
// Until it is decided no other handler of the two runs.
func (a *AvatarAI) OnTrade(ctx context.Context, o Offer) (Deal, error) {
	if a.world == nil {
		return Deal{}, noDeal(ai.CodeNoObject, ErrNoSeller)
	}
	paid := int64(o.Mugs) * int64(o.Price)
	for tries := 1; ; tries++ {
		seller := ai.Find[AvatarAI](a.world.repo, o.Seller)
		if seller == nil || seller == a {
			return Deal{}, noDeal(ai.CodeNoObject, ErrNoSeller)
		}
		var refused error
		err := a.world.repo.Transact(ctx, func() error {
			if refused = seller.sells(a, o, paid); refused != nil {
				return refused
			}
			a.Gold, seller.Gold = a.Gold-paid, seller.Gold+paid
			a.Mugs, seller.Mugs = a.Mugs+o.Mugs, seller.Mugs-o.Mugs
			return nil
		}, &a.Object, &seller.Object)
		switch {
		case err == nil:
			return Deal{Paid: paid, GoldLeft: a.Gold, Mugs: a.Mugs}, nil
		case refused != nil || !errors.Is(err, ai.CodeConflict) || tries == tradeTries:
			return Deal{}, fmt.Errorf("tavern: trade: %w", err)
		}
	}
}

// sells says why an offer cannot be taken, nil if it can.
func (a *AvatarAI) sells(buyer *AvatarAI, o Offer, paid int64) error {
	switch {
	case a.Asks == 0 || a.Asks != o.Price:
		return noDeal(ai.CodeConflict, ErrPrice)
	case a.Mugs < o.Mugs:
		return noDeal(ai.CodeConflict, ErrNoMugs)
	case buyer.Gold < paid:
		return noDeal(ai.CodeConflict, ErrTooPoor)
	}
	return nil
}

// noDeal is an answer that a good player gets, too: the world has gone on.
func noDeal(code ai.Code, why error) error { return &ai.Error{Code: code, Text: why.Error()} }
