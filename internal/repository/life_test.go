package repository

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// Pet is a class with everything that the life of an object in a client's view depends on.
type Pet struct {
	do.Object
	Name  string           `do:"required,broadcast,clsend,airecv"`
	Trick string           `do:"ram,broadcast,ownrecv"`
	Food  int16            `do:"required,ownrecv"`
	X     int16            `do:"ram,broadcast,ownrecv,ownsend"`
	Y     int16            `do:"ram,broadcast,ownrecv,ownsend"`
	XY    do.Molecular     `do:"of=X|Y"`
	Bark  do.Event[string] `do:"broadcast,ownrecv,clsend,airecv"`
	Pos   ground           `do:"ram,broadcast,ownsend,position"`
}

type ground struct{ X, Y float32 }

// PetCL is a pet in a client's view.
type PetCL struct {
	Pet
	w           *testWorld
	cache, late bool
	visits      int // what only this Go object knows
}

func (p *PetCL) Cacheable() bool  { return p.cache }
func (p *PetCL) Deferrable() bool { return p.late }
func (p *PetCL) OnGenerate() {
	p.visits++
	p.w.note("generate %s %q visit %d", p.Name, p.Trick, p.visits)
}
func (p *PetCL) OnDisable()      { p.w.note("disable %s", p.Name) }
func (p *PetCL) OnDelete()       { p.w.note("delete %s", p.Name) }
func (p *PetCL) OnTrick(string)  { p.w.note("%s does %s", p.Name, p.Trick) }
func (p *PetCL) OnBark(s string) { p.w.note("%s barks %s", p.Name, s) }
func (p *PetCL) OnX(old int16)   { p.w.note("x %d -> %d at y %d", old, p.X, p.Y) }
func (p *PetCL) OnXY()           { p.w.note("xy %d %d", p.X, p.Y) }

// PetOV is a pet as its owner sees it.
type PetOV struct {
	Pet
	w *testWorld
}

func (p *PetOV) OnGenerate()        { p.w.note("own %s food %d trick %q", p.Name, p.Food, p.Trick) }
func (p *PetOV) OnDisable()         { p.w.note("disown %s", p.Name) }
func (p *PetOV) OnDelete()          { p.w.note("lost %s", p.Name) }
func (p *PetOV) OnFood(old int16)   { p.w.note("own food %d -> %d", old, p.Food) }
func (p *PetOV) OnBark(s string)    { p.w.note("own bark %s", s) }
func (p *PetOV) OnTrick(old string) { p.w.note("own trick %q -> %q", old, p.Trick) }

// petTest drives a client with pets.
type petTest struct {
	clientTest
	cache, late bool
}

func newPetTest(t *testing.T, edit func(*Config)) *petTest {
	w := &testWorld{}
	x := &petTest{}
	r := do.NewRegistry()
	require.NoError(t, r.Class(Pet{}))
	require.NoError(t, r.BehaveAs(do.SideClient, func() *PetCL { return &PetCL{w: w, cache: x.cache, late: x.late} }))
	require.NoError(t, r.Behave(func() *PetOV { return &PetOV{w: w} }))
	cfg := w.config(t)
	cfg.Registry, cfg.Side = r, do.SideClient
	if edit != nil {
		edit(&cfg)
	}
	x.clientTest = clientTest{testWorld: w, t: t, c: NewClient(cfg, ClientConfig{}), now: second}
	x.class = r.Schema().Class("Pet")
	x.c.Start(x.now)
	sum := r.Schema().Fingerprint()
	x.feed(&wire.ClientWelcome{Session: do.NewID(1, 1, 7), Schema: sum[:], Partitions: 4})
	x.sent()
	t.Cleanup(x.c.Close)
	return x
}

func petID(n uint64) do.ID { return do.NewID(2, 1, n) }

func (x *petTest) enterPet(n int, kv ...any) *PetCL {
	x.t.Helper()
	x.feed(&wire.ClientEnter{
		Alias: uint32(n), DO: petID(uint64(n)), Class: x.class.Number(), Location: streetAt, Version: do.Version{Inc: 1, N: 1},
		Fields: values(x.t, x.class, kv...),
	})
	p, _ := x.c.Find(petID(uint64(n))).(*PetCL)
	return p
}

func (x *petTest) leave(n int, reason wire.LeaveReason) {
	x.feed(&wire.ClientLeave{Alias: uint32(n), Reason: reason})
}

func (x *petTest) number(name string) fields.Number { return x.class.FieldByName(name).Number }

// rule 159: a cacheable object that comes back is the same Go object, with what the game knows of it, and with the values
// that it has now; one that does not say so is another.
func TestRule159Cache(t *testing.T) {
	x := newPetTest(t, nil)
	a := x.enterPet(1, "Name", "Rex", "Trick", "roll")
	x.leave(1, wire.LeaveMoved)
	require.NotSame(t, a, x.enterPet(1, "Name", "Rex"))
	x.leave(1, wire.LeaveMoved)
	x.heard()

	x.cache = true
	a = x.enterPet(1, "Name", "Rex", "Trick", "roll")
	x.leave(1, wire.LeaveMoved)
	require.ErrorIs(t, a.Save(), do.ErrDetached)
	require.Nil(t, x.c.Find(petID(1)))
	b := x.enterPet(1, "Name", "Max")
	require.Same(t, a, b)
	require.Equal(t, "Max", b.Name)
	require.False(t, b.IsSet(&b.Trick), "what it had before it does not have now")
	require.Equal(t, []string{
		`generate Rex "" visit 1`, "disable Rex", `generate Max "" visit 2`,
	}, x.heard())
	b.Name = "Rex"
	require.NoError(t, b.Save())
	require.Len(t, x.sent(), 1)

	// Another life of the DoID is another object, and so is one that was deleted.
	x.leave(1, wire.LeaveMoved)
	x.feed(&wire.ClientEnter{
		Alias: 1, DO: petID(1), Class: x.class.Number(), Location: streetAt, Version: do.Version{Inc: 2, N: 1}, Fields: values(t, x.class, "Name", "Rex"),
	})
	c, _ := x.c.Find(petID(1)).(*PetCL)
	require.NotSame(t, b, c)
	x.leave(1, wire.LeaveDeleted)
	require.NotSame(t, c, x.enterPet(1, "Name", "Rex"))
}

func TestRule159CacheKeepsTheNewest(t *testing.T) {
	x := newPetTest(t, func(c *Config) { c.Cache = 2 })
	x.cache = true
	var pets []*PetCL
	for n := 1; n <= 3; n++ {
		pets = append(pets, x.enterPet(n, "Name", "Rex"))
	}
	for n := 1; n <= 3; n++ {
		x.leave(n, wire.LeaveMoved)
	}
	require.NotSame(t, pets[0], x.enterPet(1, "Name", "Rex"), "the oldest went")
	require.Same(t, pets[1], x.enterPet(2, "Name", "Rex"))
	require.Same(t, pets[2], x.enterPet(3, "Name", "Rex"))
}

// rule 158: the owner view is a second object. It has the values of the owner's entry and hears ownrecv updates alone.
func TestRule158OwnerView(t *testing.T) {
	x := newPetTest(t, nil)
	p := x.enterPet(1, "Name", "Rex")
	require.Nil(t, x.c.FindOwner(petID(1)))
	x.heard()
	own := &wire.ClientEnterOwner{
		Alias: 1, DO: petID(1), Class: x.class.Number(), Location: streetAt, Version: do.Version{Inc: 1, N: 1},
		Fields: values(t, x.class, "Name", "Rex", "Trick", "roll", "Food", 3),
	}
	x.feed(own)
	v, ok := x.c.FindOwner(petID(1)).(*PetOV)
	require.True(t, ok)
	require.Equal(t, []string{`own Rex food 3 trick ""`}, x.heard(), "rule 156: ram values come after it")
	require.Equal(t, "roll", v.Trick)
	require.Equal(t, streetAt, v.Location())
	require.Equal(t, do.Session(x.c.Session()), v.Owner())

	x.feed(&wire.ClientUpdate{Alias: 1, Field: x.number("Food"), Value: encode(t, 9)})
	x.feed(&wire.ClientUpdate{Alias: 1, Field: x.number("Name"), Value: encode(t, "Max")})
	x.feed(&wire.ClientUpdate{Alias: 1, Field: x.number("Bark"), Value: encode(t, "wuff")})
	require.Equal(t, []string{"own food 3 -> 9", "Max barks wuff", "own bark wuff"}, x.heard())
	require.EqualValues(t, 9, p.Food)
	require.Equal(t, "Rex", v.Name, "a broadcast field is none of the owner view's")

	require.NoError(t, v.Bark.Send("sit"))
	require.IsType(t, &wire.ClientSet{}, x.sent()[0])
	require.ErrorIs(t, v.Save(), ErrOwnerView)
	require.ErrorIs(t, v.Commit(t.Context()), ErrOwnerView)
	require.ErrorIs(t, v.XY.Send(), ErrOwnerView)
	require.NoError(t, v.Move(do.Location{Parent: street, Zone: 21}))
	require.Equal(t, do.Zone(21), p.Location().Zone)
	require.ErrorIs(t, v.Delete(), ErrDenied)

	own.Version.N, own.Fields = 2, values(t, x.class, "Name", "Rex", "Food", 4)
	x.feed(own)
	require.Same(t, v, x.c.FindOwner(petID(1)), "rule 56: no second generate")
	require.EqualValues(t, 4, v.Food)
	require.False(t, v.IsSet(&v.Trick))
	x.heard()
	x.feed(&wire.ClientLeaveOwner{Alias: 1, Reason: wire.LeaveMoved})
	require.Equal(t, []string{"disown Rex"}, x.heard())
	require.Nil(t, x.c.FindOwner(petID(1)))
	require.Same(t, p, x.c.Find(petID(1)), "it is still seen")
	require.ErrorIs(t, v.Save(), do.ErrDetached)

	x.feed(own)
	x.heard()
	x.feed(&wire.ClientLeaveOwner{Alias: 1, Reason: wire.LeaveDeleted}, &wire.ClientLeave{Alias: 1, Reason: wire.LeaveDeleted})
	require.Equal(t, []string{"lost Rex", "delete Rex"}, x.heard())
}

// rule 161: of deferrable objects one is generated in each interval, in their order. What is heard of one meanwhile is in
// its fields, its handlers run after its OnGenerate, and one that leaves first was never there.
func TestRule161LateObjects(t *testing.T) {
	x := newPetTest(t, func(c *Config) { c.GenerateEvery = 100 * time.Millisecond })
	x.late = true
	for n, name := range []string{"Ann", "Bob", "Cid", "Dan"} {
		p := x.enterPet(n+1, "Name", name)
		require.Equal(t, n == 0, p != nil, "it is not found before it is generated")
	}
	require.Equal(t, []string{`generate Ann "" visit 1`}, x.heard())
	require.Equal(t, []any{x.c.Find(petID(1))}, x.c.FindAll(func(any) bool { return true }))
	require.Len(t, x.c.View(), 4, "the values are there")
	x.feed(&wire.ClientUpdate{Alias: 2, Field: x.number("Trick"), Value: encode(t, "roll")})
	x.feed(&wire.ClientUpdate{Alias: 2, Field: x.number("Bark"), Value: encode(t, "wuff")})
	x.leave(3, wire.LeaveMoved)
	require.Empty(t, x.heard())
	x.tick(int64(100 * time.Millisecond))
	require.Equal(t, []string{`generate Bob "roll" visit 1`, "Bob does roll", "Bob barks wuff"}, x.heard())
	x.tick(int64(99 * time.Millisecond))
	require.Empty(t, x.heard())
	x.tick(int64(time.Millisecond))
	require.Equal(t, []string{`generate Dan "" visit 1`}, x.heard(), "Cid's turn is not lost")
	x.leave(4, wire.LeaveDeleted)
	require.Equal(t, []string{"delete Dan"}, x.heard())

	// One that is not deferrable does not wait.
	x.late = false
	require.NotNil(t, x.enterPet(5, "Name", "Eve"))
	// One of which much is heard does not either.
	x.late = true
	require.Nil(t, x.enterPet(6, "Name", "Fay"))
	x.heard()
	for range maxHeld + 1 {
		x.feed(&wire.ClientUpdate{Alias: 6, Field: x.number("Bark"), Value: encode(t, "wuff")})
	}
	require.Len(t, x.heard(), maxHeld+2)
	x.tick(second)
	require.Empty(t, x.heard())
}

// rule 170: the callback of several objects comes when all of them are generated, in the order of the list.
func TestRule170RelatedObjects(t *testing.T) {
	x := newPetTest(t, nil)
	x.enterPet(2, "Name", "Bob")
	var got []any
	result := x.do(func(ctx context.Context) (err error) {
		got, err = x.c.Related(ctx, petID(1), do.ID{}, petID(2), petID(1))
		x.note("related")
		return err
	})
	x.heard()
	require.Equal(t, errPending, *result)
	x.leave(2, wire.LeaveMoved)
	x.enterPet(1, "Name", "Ann", "Trick", "roll")
	require.Equal(t, errPending, *result, "the other one left meanwhile")
	x.enterPet(2, "Name", "Bob")
	require.NoError(t, *result)
	require.Equal(t, []any{x.c.Find(petID(1)), nil, x.c.Find(petID(2)), x.c.Find(petID(1))}, got)
	require.Equal(t, []string{"disable Bob", `generate Ann "" visit 1`, `generate Bob "" visit 1`, "related"}, x.heard())

	result = x.do(func(ctx context.Context) (err error) {
		got, err = x.c.Related(ctx, petID(1), petID(3))
		return err
	})
	x.tick(11 * second)
	require.ErrorIs(t, *result, ErrUnanswered)
	require.Equal(t, []any{x.c.Find(petID(1)), nil}, got, "the partial list")
	require.Empty(t, x.c.relations)

	ctx, cancel := context.WithCancel(t.Context())
	result = new(error)
	x.c.Do(ctx, func(ctx context.Context) error {
		_, err := x.c.Related(ctx, petID(3))
		return err
	}, func(err error) { *result = err })
	cancel()
	x.tick(second)
	require.ErrorIs(t, *result, context.Canceled)
	_, err := x.c.Related(t.Context(), petID(1))
	require.ErrorIs(t, err, ErrNoHandler)
}

// rules 60, 63: the parts of a molecular update are applied at once; a handler of one part sees the others.
func TestRule60MolecularAtOnce(t *testing.T) {
	x := newPetTest(t, nil)
	p := x.enterPet(1, "Name", "Rex", "X", 1, "Y", 2)
	x.heard()
	value := fields.AppendArrayHeader(nil, 2)
	value = append(append(value, encode(t, 7)...), encode(t, 8)...)
	x.feed(&wire.ClientUpdate{Alias: 1, Field: x.number("XY"), Value: value})
	require.Equal(t, []string{"x 1 -> 7 at y 8", "xy 7 8"}, x.heard())
	require.EqualValues(t, 8, p.Y)
}

// rules 164, 169: who follows is told the grid; Walk sends the position, and the new cell with it where that is another.
func TestRule164FollowAndWalk(t *testing.T) {
	x := newPetTest(t, nil)
	p := x.enterPet(1, "Name", "Rex")
	_, err := x.c.Follow(&p.Object, 0)
	require.ErrorIs(t, err, ErrDenied)
	grid := do.Grid{Start: 20, Cols: 2, Rows: 1, Cell: 10, Radius: 1, Hysteresis: 1}
	x.feed(&wire.ClientEnterOwner{Alias: 1, DO: petID(1), Class: x.class.Number(), Location: streetAt, Version: do.Version{Inc: 1, N: 1}})
	_, err = x.c.Follow(&p.Object, 256)
	require.Error(t, err)
	h, err := x.c.Follow(&p.Object, 2)
	require.NoError(t, err)
	follow := x.sent()[0].(*wire.ClientFollow)
	require.Equal(t, &wire.ClientFollow{Context: follow.Context, Handle: h.id, Ref: wire.AliasRef(1), Outer: 2}, follow)

	p.Pos = ground{X: 3}
	require.NoError(t, p.Save())
	require.IsType(t, &wire.ClientSet{}, x.sent()[0])
	p.Pos.X = 4
	require.NoError(t, x.c.Walk(&p.Object))
	require.IsType(t, &wire.ClientSet{}, x.sent()[0], "without a grid it is a save")

	x.feed(&wire.ClientGround{Parent: street, Grid: gridValue(grid)}, &wire.ClientInterestDone{Context: follow.Context, Handle: h.id})
	g, ok := x.c.GridOf(street)
	require.True(t, ok)
	require.Equal(t, grid, g)
	done, err := h.Done()
	require.True(t, done)
	require.NoError(t, err)

	// Cell 20 ends at X=0; 1 of hysteresis.
	p.Pos.X = 0.5
	require.NoError(t, x.c.Walk(&p.Object))
	require.IsType(t, &wire.ClientSet{}, x.sent()[0])
	p.Pos.X = 1.5
	require.NoError(t, x.c.Walk(&p.Object))
	move := x.sent()[0].(*wire.ClientMove)
	require.Equal(t, do.Location{Parent: street, Zone: 21}, move.Location)
	require.Equal(t, 1, move.Fields.Len())
	require.Equal(t, do.Zone(21), p.Location().Zone)
	// The move is refused; the position that was sent with it is sent again with the next.
	x.feed(&wire.ClientRefused{Context: move.Context, Alias: 1, Code: wire.CodePlace, Location: streetAt, Fields: move.Fields})
	require.Equal(t, streetAt, p.Location())
	require.NoError(t, x.c.Walk(&p.Object))
	move = x.sent()[0].(*wire.ClientMove)
	require.Equal(t, 1, move.Fields.Len())

	p.Pos.X = 12
	require.ErrorIs(t, x.c.Walk(&p.Object), ErrOffGrid)
	require.Empty(t, x.sent())
	x.feed(&wire.ClientGround{Parent: street})
	_, ok = x.c.GridOf(street)
	require.False(t, ok)
	require.Error(t, x.c.Receive(wire.AppendFrame(nil, &wire.ClientGround{Parent: street, Grid: []byte{1}}), false, x.now))
}

func gridValue(g do.Grid) []byte {
	b := fields.AppendArrayHeader(nil, 6)
	b = fields.AppendUint(b, uint64(g.Start))
	b = fields.AppendInt(b, int64(g.Cols))
	b = fields.AppendInt(b, int64(g.Rows))
	b = fields.AppendFloat64(b, g.Cell)
	b = fields.AppendInt(b, int64(g.Radius))
	return fields.AppendFloat64(b, g.Hysteresis)
}
