package tavern

import (
	"context"
	"errors"
	"fmt"
)

// Errors that a buyer gets, as text with code Handler.
var (
	ErrNoSuchItem = errors.New("there is no such thing on the menu")
	ErrTooPoor    = errors.New("that is more gold than you have")
	ErrNoWork     = errors.New("there is no work just now")
)

// AvatarAI is an avatar as the AI that runs it sees it.
type AvatarAI struct {
	Avatar
	world   *World // nil of one that nobody plays
	working bool   // a shift is being promised
}

// OnBuy sells one item. What it changes on the avatar leaves with the receipt when it returns, in one bundle, and is
// undone when it fails. A drink takes a point of health.
func (a *AvatarAI) OnBuy(_ context.Context, o Order) (Receipt, error) {
	price, ok := Price(o.Item)
	if !ok {
		return Receipt{}, fmt.Errorf("buy %q: %w", o.Item, ErrNoSuchItem)
	}
	if a.Gold < price {
		return Receipt{}, ErrTooPoor
	}
	a.Gold -= price
	a.HP = max(a.HP-1, 1)
	return Receipt{Item: o.Item, Paid: price, GoldLeft: a.Gold}, nil
}

// OnSay hears what an avatar says. Company is good for one's health.
func (a *AvatarAI) OnSay(string) { a.HP = min(a.HP+1, 100) }
