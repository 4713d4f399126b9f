package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/repository"
)

// The game of the simulation. Every field that somebody else than its AI may set is airecv, so that AIs can know it.

// Vec is a place on a plane.
type Vec struct{ X, Y float32 }

// Place is what other things are in. It may have a grid, ways out of it, and zones that open by themselves or may be opened.
type Place struct {
	do.Object
	Name   string    `do:"required,broadcast,airecv,clsend,max=16"`
	Light  uint8     `do:"ram,broadcast,clsend,airecv"`
	Ground do.Grid   `do:"required,broadcast,airecv,grid"`
	Doors  []do.Edge `do:"required,broadcast,airecv,edges"`
	Inside []do.Zone `do:"required,broadcast,airecv,auto"`
	Rooms  []do.Zone `do:"required,broadcast,airecv,open"`
}

// Avatar has a field of each kind of audience, and is what the database keeps.
type Avatar struct {
	do.Object
	Name   string                  `do:"required,db,broadcast,airecv,clsend,max=16"`
	HP     int16                   `do:"required,broadcast,airecv,ownsend,min=0,max=100,default=100"`
	Pos    Vec                     `do:"ram,broadcast,ownsend,airecv,latest,position"`
	Look   uint16                  `do:"ram,broadcast,ownsend,airecv,latest"`
	Gold   int64                   `do:"required,db,ownrecv,airecv"`
	Mood   string                  `do:"ram,broadcast,clsend,airecv,max=16"`
	Secret string                  `do:"ram,ownrecv,ownsend,airecv,max=16"`
	Nick   string                  `do:"ram,db,broadcast,airecv,unique,max=16"`
	Title  string                  `do:"ram,broadcast,airecv,clsend,review,max=16"`
	Say    do.Event[string]        `do:"broadcast,clsend,airecv,max=40"`
	Ask    do.Call[uint32, uint32] `do:"clsend"`
	Dare   do.Call[uint32, uint32] `do:"ownrecv"`
}

// The vaults that an AI has in each partition.
const (
	vaultsEach = 3
	vaultGold  = 100
)

// Vault holds gold. Only the AI that made it moves it, and only to another of its vaults in the same partition.
type Vault struct {
	do.Object
	Gold int64                  `do:"required,broadcast,ownrecv"`
	Pay  do.Call[Payment, Paid] `do:"clsend"`
}

// Payment asks a vault to give gold to another.
type Payment struct {
	To     do.ID
	Amount int64
}

// Paid is what the vault has left.
type Paid struct{ Left int64 }

// Purse holds gold and things, which only transactions change, and a note of anybody's. It is what the database keeps.
type Purse struct {
	do.Object
	Gold  int64    `do:"required,db,broadcast,airecv"`
	Items []uint16 `do:"required,db,broadcast,airecv"`
	Last  uint64   `do:"required,db,broadcast,airecv"` // the number of the transaction that changed it last
	Note  string   `do:"ram,db,broadcast,clsend,airecv,max=16"`
}

// Gate is the UberDOG that lets clients in.
type Gate struct {
	do.Object
	Login do.Call[uint32, do.ID] `do:"clsend"`
}

// gateID is where the gate is reached.
var gateID = do.WellKnown(4670)

// life counts what a behaviour hears of its own life.
type life struct {
	p     *actor
	alive bool
}

func (l *life) generated(o *do.Object) {
	if l.p == nil {
		return
	}
	if l.alive {
		l.p.w.problem("%s: %s was generated twice", l.p.name, l.p.w.nameOf(o.ID()))
	}
	l.alive = true
	l.p.generated++
}

func (l *life) ended(o *do.Object) {
	if l.p == nil {
		return
	}
	if !l.alive {
		l.p.w.problem("%s: %s was disabled or deleted without a generate", l.p.name, l.p.w.nameOf(o.ID()))
	}
	l.alive = false
	l.p.ended++
}

// The behaviours of AIs.

type placeAI struct {
	Place
	life life
}

func (x *placeAI) OnGenerate() { x.life.generated(&x.Object) }
func (x *placeAI) OnDisable()  { x.life.ended(&x.Object) }

func (x *placeAI) OnDelete() { x.life.ended(&x.Object) }

type avatarAI struct {
	Avatar
	life life
}

func (x *avatarAI) OnGenerate() { x.life.generated(&x.Object) }
func (x *avatarAI) OnDisable()  { x.life.ended(&x.Object) }
func (x *avatarAI) OnDelete()   { x.life.ended(&x.Object) }

// CleanTitle makes something else of a client's title, or refuses it.
func (x *avatarAI) CleanTitle(title string) (string, error) {
	x.life.p.w.count.Reviewed++
	if len(title)%4 == 0 {
		return "", errNo
	}
	return strings.ToUpper(title), nil
}

// OnSay answers a shout by a mood, now and then.
func (x *avatarAI) OnSay(ctx context.Context, text string) error {
	if len(text)%3 == 0 {
		x.Mood = text
	}
	return nil
}

// errNo is what handlers that do not want to say.
var errNo = errors.New("no")

// OnAsk does one of several things, as the question says.
func (x *avatarAI) OnAsk(ctx context.Context, q uint32) (uint32, error) {
	switch q % 5 {
	case 0:
		x.HP = int16(q % 101)
	case 1:
		x.HP, x.Mood = int16(q%101), "undone"
		return 0, errNo
	case 2:
		x.Mood = fmt.Sprint("before ", q%7)
		// Waiting is a save point: the mood is sent, the error below does not undo it.
		if err := x.life.p.ai.Sleep(ctx, time.Duration(q%50)*time.Millisecond); err != nil {
			return 0, err
		}
		x.Gold++
	case 3:
		if err := x.Say.Send("ask"); err != nil {
			return 0, err
		}
	}
	return q + 1, nil
}

// OnDare is how an owner, an AI or a client, answers an AI.
func (x *avatarAI) OnDare(q uint32) (uint32, error) { return dare(&x.Avatar, q) }

func (x *avatarCL) OnDare(q uint32) (uint32, error) { return dare(&x.Avatar, q) }

func dare(x *Avatar, q uint32) (uint32, error) {
	x.HP = int16(q % 101)
	if q%3 == 0 {
		return 0, errNo
	}
	return q + 1, nil
}

type vaultAI struct {
	Vault
	life life
}

func (x *vaultAI) OnGenerate() { x.life.generated(&x.Object) }
func (x *vaultAI) OnDisable()  { x.life.ended(&x.Object) }
func (x *vaultAI) OnDelete()   { x.life.ended(&x.Object) }

// OnPay moves gold to another vault, in one bundle.
func (x *vaultAI) OnPay(ctx context.Context, p Payment) (Paid, error) {
	to, ok := x.life.p.ai.Find(p.To).(*vaultAI)
	if !ok || to == x || !slices.Contains(x.life.p.vaults[p.To.Partition()], p.To) {
		return Paid{}, errNo
	}
	if err := x.life.p.ai.Change(&to.Object); err != nil {
		return Paid{}, err
	}
	x.Gold -= p.Amount
	to.Gold += p.Amount
	if x.Gold < 0 {
		return Paid{}, errNo // both are undone
	}
	return Paid{Left: x.Gold}, nil
}

type purseAI struct {
	Purse
	life life
}

func (x *purseAI) OnGenerate() { x.life.generated(&x.Object) }
func (x *purseAI) OnDisable()  { x.life.ended(&x.Object) }
func (x *purseAI) OnDelete()   { x.life.ended(&x.Object) }

type gateUD struct {
	Gate
	p *actor
}

// OnLogin establishes the session that asks, and gives it an avatar.
func (x *gateUD) OnLogin(ctx context.Context, mode uint32) (do.ID, error) {
	return x.p.login(ctx, repository.CallerOf(ctx).Channel, mode)
}

// The behaviours of clients.

type placeCL struct {
	Place
	life life
}

func (x *placeCL) OnGenerate() { x.life.generated(&x.Object) }
func (x *placeCL) OnDisable()  { x.life.ended(&x.Object) }
func (x *placeCL) OnDelete()   { x.life.ended(&x.Object) }

type avatarCL struct {
	Avatar
	life life
}

func (x *avatarCL) OnGenerate() { x.life.generated(&x.Object) }
func (x *avatarCL) OnDisable()  { x.life.ended(&x.Object) }
func (x *avatarCL) OnDelete()   { x.life.ended(&x.Object) }

type vaultCL struct {
	Vault
	life life
}

func (x *vaultCL) OnGenerate() { x.life.generated(&x.Object) }
func (x *vaultCL) OnDisable()  { x.life.ended(&x.Object) }
func (x *vaultCL) OnDelete()   { x.life.ended(&x.Object) }

type purseCL struct {
	Purse
	life life
}

func (x *purseCL) OnGenerate() { x.life.generated(&x.Object) }
func (x *purseCL) OnDisable()  { x.life.ended(&x.Object) }
func (x *purseCL) OnDelete()   { x.life.ended(&x.Object) }

// registry registers the game. What a behaviour belongs to is whoever runs when it is made.
func (w *world) registry() (*do.Registry, error) {
	r := do.NewRegistry()
	mine := func() life { return life{p: w.running} }
	for _, err := range []error{
		r.Class(Place{}), r.Class(Avatar{}), r.Class(Vault{}), r.Class(Purse{}), r.Class(Post{}), r.Class(Diary{}),
		r.UberDOG(gateID, Gate{}, true),
		r.BehaveAs(do.SideAI, func() *placeAI { return &placeAI{life: mine()} }),
		r.BehaveAs(do.SideAI, func() *avatarAI { return &avatarAI{life: mine()} }),
		r.BehaveAs(do.SideAI, func() *vaultAI { return &vaultAI{life: mine()} }),
		r.BehaveAs(do.SideAI, func() *purseAI { return &purseAI{life: mine()} }),
		r.BehaveAs(do.SideClient, func() *purseCL { return &purseCL{life: mine()} }),
		r.BehaveAs(do.SideAI, func() *postAI { return &postAI{life: mine()} }),
		r.BehaveAs(do.SideAI, func() *diaryAI { return &diaryAI{life: mine()} }),
		r.BehaveAs(do.SideClient, func() *postCL { return &postCL{life: mine()} }),
		r.BehaveAs(do.SideClient, func() *diaryCL { return &diaryCL{life: mine()} }),
		r.BehaveAs(do.SideUberDOG, func() *gateUD { return &gateUD{p: w.running} }),
		r.BehaveAs(do.SideClient, func() *placeCL { return &placeCL{life: mine()} }),
		r.BehaveAs(do.SideClient, func() *avatarCL { return &avatarCL{life: mine()} }),
		r.BehaveAs(do.SideClient, func() *vaultCL { return &vaultCL{life: mine()} }),
	} {
		if err != nil {
			return nil, fmt.Errorf("sim: register the game: %w", err)
		}
	}
	return r, nil
}
