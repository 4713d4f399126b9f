package tavern

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/client"
)

// seat is a player on the street, with an avatar that owns what it owns.
func (c *cluster) seat(name string) (*player, *AvatarCL) {
	p := c.player()
	_, err := p.register(name, secret)
	require.NoError(c.t, err)
	at, err := p.enter(name)
	require.NoError(c.t, err)
	return p, p.avatar(at.Avatar)
}

// posts makes a price known.
func (c *cluster) posts(p *player, a *AvatarCL, price int32) {
	require.NoError(p.t, p.do(func(context.Context) error {
		a.Asks = price
		return a.Save()
	}))
	require.Eventually(p.t, func() bool {
		heard := int32(0)
		err := c.world.repo.DoWait(p.t.Context(), func(context.Context) error {
			heard = ai.Find[AvatarAI](c.world.repo, a.ID()).Asks
			return nil
		})
		return err == nil && heard == price
	}, time.Minute, time.Millisecond)
}

func (p *player) buys(a *AvatarCL, o Offer) (d Deal, err error) {
	err = p.do(func(ctx context.Context) (err error) {
		d, err = a.Trade.Call(ctx, o)
		return err
	})
	return d, err
}

// has waits until the player is told of that much.
func (p *player) has(a *AvatarCL, gold int64, mugs int32) {
	require.Eventually(p.t, func() bool {
		var g int64
		var m int32
		err := p.do(func(context.Context) error {
			g, m = a.Gold, a.Mugs
			return nil
		})
		return err == nil && g == gold && m == mugs
	}, time.Minute, 2*time.Millisecond)
}

func TestTrade(t *testing.T) {
	c := newCluster(t)
	flippy, buyer := c.seat("flippy")
	duke, seller := c.seat("duke")
	offer := Offer{Seller: seller.ID(), Mugs: 3, Price: 7}
	_, err := flippy.buys(buyer, offer)
	require.ErrorIs(t, err, client.CodeConflict)
	require.ErrorContains(t, err, ErrPrice.Error(), "who has posted no price sells nothing")

	c.posts(duke, seller, 7)
	deal, err := flippy.buys(buyer, offer)
	require.NoError(t, err)
	require.Equal(t, Deal{Paid: 21, GoldLeft: 9979, Mugs: 7}, deal)
	flippy.has(buyer, 9979, 7)
	duke.has(seller, 10021, 1)
	require.EqualValues(t, 9979, c.stored(buyer.ID()).Gold, "it is in the database when it is answered")
	require.EqualValues(t, 1, c.stored(seller.ID()).Mugs)

	for text, o := range map[string]Offer{
		ErrPrice.Error():    {Seller: seller.ID(), Mugs: 1, Price: 6},
		ErrNoMugs.Error():   {Seller: seller.ID(), Mugs: 2, Price: 7},
		ErrNoSeller.Error(): {Seller: buyer.ID(), Mugs: 1, Price: 7},
	} {
		_, err := flippy.buys(buyer, o)
		require.ErrorContains(t, err, text)
	}
	c.posts(duke, seller, 1000)
	for range 9 { // there is one mug, and gold for nine
		_, err = flippy.buys(buyer, Offer{Seller: seller.ID(), Mugs: 1, Price: 1000})
		if err != nil {
			break
		}
	}
	require.ErrorContains(t, err, ErrNoMugs.Error())
	flippy.has(buyer, 8979, 8)
	duke.has(seller, 11021, 0)

	c.posts(flippy, buyer, 1)
	require.NoError(t, duke.leave())
	_, err = flippy.buys(buyer, offer)
	require.ErrorIs(t, err, client.CodeNoObject)
}

// Many trade with each other at once, and drink beside it: nothing is lost, and nothing is there twice.
func TestTradesAtOnceKeepTheSums(t *testing.T) {
	c := newCluster(t)
	const n, rounds = 4, 12
	var players []*player
	var avatars []*AvatarCL
	for i := range n {
		p, a := c.seat([]string{"flippy", "duke", "remy", "gus"}[i])
		c.posts(p, a, int32(1+i))
		players, avatars = append(players, p), append(avatars, a)
	}
	done := make(chan int64)
	for i, p := range players {
		go func() {
			drunk := int64(0)
			for k := range rounds {
				j := (i + 1 + k%(n-1)) % n
				// That it is refused is as it goes.
				_, _ = p.buys(avatars[i], Offer{Seller: avatars[j].ID(), Mugs: 1, Price: int32(1 + j)})
				err := p.do(func(ctx context.Context) error {
					r, err := avatars[i].Buy.Call(ctx, Order{Item: "beer"})
					drunk += r.Paid
					return err
				})
				if err != nil && !errors.Is(err, client.CodeRate) {
					t.Error(err)
				}
			}
			done <- drunk
		}()
	}
	gold, mugs := int64(0), int32(0)
	for range players {
		gold += <-done
	}
	require.Eventually(t, func() bool {
		g, m := gold, mugs
		for _, a := range avatars {
			row := c.stored(a.ID())
			g, m = g+row.Gold, m+row.Mugs
		}
		return g == n*10000 && m == n*4
	}, time.Minute, 20*time.Millisecond)
}
