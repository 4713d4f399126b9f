// Command hello is the smallest game: a bell on a square, that all who come by may ring.
//
//	go run ./cmd/otpd run --dev                                 # the server
//	go run ./examples/hello ai "$(cat otpd-data/join.url)"      # the game
//	go run ./examples/hello ring "$(cat otpd-data/client.pin)"  # a player
package main

import (
	"errors"

	"github.com/otpd/otpd/do"
)

// Bell hangs on the square. Whoever sees it may ring it, and all who see it hear that.
type Bell struct {
	do.Object
	Rings int64            `do:"required,broadcast"`
	Ring  do.Event[string] `do:"broadcast,clsend,airecv,max=24"`
}

// Square is the root of this world.
type Square struct{ do.Object }

// Gate lets in who asks: it is an UberDOG, which can be reached before that.
type Gate struct {
	do.Object
	Enter do.Call[string, bool] `do:"clsend,max=24"`
}

// gateID is where the Gate is, square where the bell hangs: well-known ids, that client and AI agree on.
func gateID() do.ID       { return do.WellKnown(1) }
func square() do.Location { return do.Location{Parent: do.WellKnown(2), Zone: 1} }

func classes() (*do.Registry, error) {
	r := do.NewRegistry()
	return r, errors.Join(r.Class(Square{}), r.Class(Bell{}), r.UberDOG(gateID(), Gate{}, true))
}
