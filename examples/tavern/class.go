package tavern

import (
	"errors"
	"fmt"

	"github.com/otpd/otpd/ai/jobs"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/uberdog/auth"
)

// Vec2 is a place on the ground, in metres, and when its owner was there: unix microseconds of the owner's clock.
// Who draws avatars wants to know when a position was true, not when it came.
type Vec2 struct {
	X, Y float32
	At   int64
}

// Avatar is a player's body. Its position is below its location's parent: on the street, or in a tavern.
type Avatar struct {
	do.Object
	Name    string `do:"required,db,broadcast,max=24"`
	HP      int16  `do:"required,db,broadcast,min=0,max=100,default=100"`
	Pos     Vec2   `do:"ram,broadcast,ownsend,latest,position"` // newest wins: may travel unreliably
	Gold    int64  `do:"required,db,ownrecv,min=0,default=10000"`
	Account do.ID  `do:"required,db,unique"` // whose it is: one each
	// Say is heard by all who see the avatar.
	Say do.Event[string] `do:"broadcast,ownsend,airecv,minlen=1,max=200,rate=5"`
	// Buy buys a drink: it is paid and served, or neither.
	Buy do.Call[Order, Receipt] `do:"ownsend,rate=10"`
	// Work is a shift in the kitchen: it is paid later, and for certain.
	Work      do.Call[Shift, Promise] `do:"ownsend,rate=10"`
	Shift     int64                   `do:"required,db"` // the last that was worked
	PaidShift int64                   `do:"required,db"` // up to which all are paid
	// Mugs are what players trade in. Who has posted a price sells one to whoever pays it, by the buyer's Trade: both
	// have what the other gave, or nothing happened.
	Mugs  int32                `do:"required,db,ownrecv,min=0,default=4"`
	Asks  int32                `do:"ram,broadcast,ownsend,airecv,min=0,max=1000"` // the price of a mug, 0: none is for sale
	Trade do.Call[Offer, Deal] `do:"ownsend,rate=10"`
}

// Order is what somebody wants from the keg.
type Order struct {
	Item string `do:"max=24"`
}

// Receipt is what was paid, and what is left.
type Receipt struct {
	Item     string
	Paid     int64
	GoldLeft int64
}

// Offer is what a buyer wants of another avatar, for the price that it has posted.
type Offer struct {
	Seller do.ID
	Mugs   int32 `do:"min=1,max=100"`
	Price  int32 `do:"min=1,max=1000"` // of one
}

// Deal is what was paid, and what the buyer has now.
type Deal struct {
	Paid     int64
	GoldLeft int64
	Mugs     int32
}

// Shift says nothing more.
type Shift struct {
	Word string `do:"max=24"`
}

// Promise is what a shift will be paid.
type Promise struct {
	Shift int64
	Wage  int64
}

// Street is the root of the world; its zones are the cells of its ground.
type Street struct {
	do.Object
	Name   string  `do:"required,broadcast,max=24"`
	Ground do.Grid `do:"required,broadcast,grid"`
}

// Tavern is a house on the street. Its inside is zone Inside below it, which is entered and left by the door; from there
// one sees the street.
type Tavern struct {
	do.Object
	Name  string    `do:"required,broadcast,max=24"`
	Pos   Vec2      `do:"required,broadcast"` // of its door
	Doors []do.Edge `do:"required,broadcast,edges,max=4"`
}

// Keg is something to buy from, in a tavern or beside the street.
type Keg struct {
	do.Object
	Pos   Vec2   `do:"required,broadcast"`
	Beer  string `do:"required,broadcast,max=24"`
	Level uint8  `do:"required,broadcast,max=100,default=100"` // percent
}

// Lamp lights the street.
type Lamp struct {
	do.Object
	Pos Vec2 `do:"required,broadcast"`
	On  bool `do:"required,broadcast,default=true"`
}

// Realm is where one who is logged in gets a body.
type Realm struct {
	do.Object
	// Enter brings the account's avatar to the street, a new one the first time; it goes when the session ends.
	Enter do.Call[Entrance, Arrival] `do:"clsend,rate=5"`
	// Leave takes it off the street without ending the session.
	Leave do.Call[Departure, Arrival] `do:"clsend,rate=5"`
}

// Entrance says who comes: the name counts the first time only.
type Entrance struct {
	Name string `do:"minlen=1,max=24"`
}

// Departure says nothing more.
type Departure struct {
	Word string `do:"max=24"`
}

// Arrival is where the avatar is.
type Arrival struct {
	Avatar do.ID
	Parent do.ID
	Zone   do.Zone
	Pos    Vec2
	Gold   int64
}

// RealmID is where the Realm UberDOG is.
func RealmID() do.ID { return do.WellKnown(4671) }

// Classes registers what clients and AI share: the game's classes, and the UberDOGs.
func Classes(r *do.Registry) error {
	for _, c := range []any{Street{}, Tavern{}, Keg{}, Lamp{}, Avatar{}} {
		if err := r.Class(c); err != nil {
			return fmt.Errorf("tavern: %w", err)
		}
	}
	if err := r.UberDOG(RealmID(), Realm{}, false); err != nil {
		return fmt.Errorf("tavern: %w", err)
	}
	if err := errors.Join(auth.Register(r), jobs.Register(r)); err != nil {
		return fmt.Errorf("tavern: %w", err)
	}
	return nil
}
