package repository

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// Chest is a class of which all is stored, and Crate one without handlers for its end.
type (
	Chest struct {
		do.Object
		Gold  int64                     `do:"required,db"`
		Label string                    `do:"ram,db,max=8"`
		Dust  int64                     `do:"ram"`
		Count do.Call[struct{}, string] `do:"clsend"`
		Poke  do.Event[string]          `do:"clsend,airecv"`
	}
	Crate struct {
		do.Object
		Gold int64 `do:"required,db"`
	}
)

// ChestAI does at its end what the test says.
type ChestAI struct {
	Chest
	t *lastTest
}

func (c *ChestAI) OnDisable(ctx context.Context) error { return c.t.end(ctx, c) }
func (c *ChestAI) OnDelete(ctx context.Context) error  { return c.t.end(ctx, c) }
func (c *ChestAI) OnCount(ctx context.Context, _ struct{}) (string, error) {
	return "", c.t.count(ctx, c)
}

func (c *ChestAI) OnPoke(ctx context.Context, _ string) error { return c.t.count(ctx, c) }

// CrateAI has no handler.
type CrateAI struct{ Crate }

// lastTest drives an AI that runs a chest or a crate.
type lastTest struct {
	aiTest
	end   func(ctx context.Context, c *ChestAI) error
	count func(ctx context.Context, c *ChestAI) error
}

func newLastTest(t *testing.T) *lastTest {
	x := &lastTest{}
	r := do.NewRegistry()
	require.NoError(t, r.Class(Chest{}))
	require.NoError(t, r.Class(Crate{}))
	require.NoError(t, r.Behave(func() *ChestAI { return &ChestAI{t: x} }))
	require.NoError(t, r.Behave(func() *CrateAI { return &CrateAI{} }))
	x.aiTest = *newAITest(t, func(c *Config) { c.Registry = r })
	x.class = r.Schema().Class("Chest")
	return x
}

// enter lets the AI run an object that has 10 gold.
func (x *lastTest) enter(class string, n uint64) any {
	c := x.a.Schema().Class(class)
	x.step(&wire.EnterAI{Entry: wire.Entry{
		DO: petID(n), Class: c.Number(), Version: do.Version{Inc: 1, N: 1}, Location: streetAt, AI: x.a.Channel(), Fields: values(x.t, c, "Gold", 10),
	}})
	require.Empty(x.t, x.sent())
	return x.a.Find(petID(n))
}

func (x *lastTest) gone(n uint64) {
	x.step(&wire.Deleted{DO: petID(n), Version: do.Version{Inc: 1, N: 2}, Unloaded: true})
}

// written answers the one set that was sent, and gives what it was.
func (x *lastTest) written(code wire.Code) fields.Map {
	x.t.Helper()
	out := x.sent()
	require.Len(x.t, out, 1, "%v", out)
	set, ok := out[0].Body.(*wire.SetFields)
	require.True(x.t, ok, "%v", out[0])
	require.Equal(x.t, []do.Channel{do.ObjectChannel(set.DO)}, out[0].To)
	if code == wire.CodeOK {
		x.step(&wire.Done{Context: set.Context, Of: set.Type(), DO: set.DO, Row: 2})
	} else {
		x.step(&wire.Failed{Context: set.Context, Of: set.Type(), DO: set.DO, Code: code})
	}
	return set.Fields
}

// row answers the question for an object's row: its version, and the gold in it.
func (x *lastTest) row(n uint64, version uint32, gold int) {
	x.t.Helper()
	get := body[*wire.GetAll](&x.aiTest, x.sent())
	require.Equal(x.t, petID(n), get.DO)
	x.step(&wire.GetAllResp{Context: get.Context, Entry: wire.Entry{
		DO: get.DO, Class: x.class.Number(), Version: do.Version{N: version}, Fields: values(x.t, x.class, "Gold", gold),
	}})
}

func (x *lastTest) gold(n int) fields.Map { return values(x.t, x.class, "Gold", n) }

// What was changed before the end is written whatever OnDisable does; what that changes itself counts when it returns nil,
// and at each wait (K6, K7).
func TestK7LastWriteWhateverTheHandlerDoes(t *testing.T) {
	never := func(ctx context.Context, x *lastTest) error {
		_, err := x.a.Request(ctx, "something", do.ObjectChannel(street), func(c uint32) wire.Body { return &wire.GetAll{Context: c, DO: street} })
		return err
	}
	for name, c := range map[string]struct {
		end    func(ctx context.Context, x *lastTest, c *ChestAI) error
		waits  bool
		want   []int // gold, as written
		failed string
	}{
		"nothing":        {func(context.Context, *lastTest, *ChestAI) error { return nil }, false, []int{14}, ""},
		"a change":       {func(_ context.Context, _ *lastTest, c *ChestAI) error { c.Gold++; return nil }, false, []int{14, 15}, ""},
		"a save":         {func(_ context.Context, _ *lastTest, c *ChestAI) error { c.Gold++; return c.Save() }, false, []int{14, 15}, ""},
		"an error":       {func(_ context.Context, _ *lastTest, c *ChestAI) error { c.Gold++; return errors.New("no bank") }, false, []int{14}, "no bank"},
		"a panic":        {func(_ context.Context, _ *lastTest, c *ChestAI) error { c.Gold++; panic("oops") }, false, []int{14}, "oops"},
		"the deadline":   {func(ctx context.Context, x *lastTest, c *ChestAI) error { return never(ctx, x) }, true, []int{14}, "deadline exceeded"},
		"a change, then": {func(ctx context.Context, x *lastTest, c *ChestAI) error { c.Gold++; return never(ctx, x) }, true, []int{14, 15}, "deadline exceeded"},
		"a change since": {func(ctx context.Context, x *lastTest, c *ChestAI) error { err := never(ctx, x); c.Gold++; return err }, true, []int{14}, "deadline exceeded"},
		"a change after": {func(ctx context.Context, x *lastTest, c *ChestAI) error { _ = never(ctx, x); c.Gold++; return nil }, true, []int{14, 15}, ""},
		"too late to move": {func(_ context.Context, _ *lastTest, c *ChestAI) error {
			return errors.Join(c.Delete(), c.Move(do.Location{}))
		}, false, []int{14}, "it is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			x := newLastTest(t)
			x.end = func(ctx context.Context, chest *ChestAI) error {
				end, bounded := ctx.Deadline()
				require.True(t, bounded)
				require.Equal(t, lastTime, time.Duration(end.UnixNano()-x.now))
				return c.end(ctx, x, chest)
			}
			chest := x.enter("Chest", 1).(*ChestAI)
			chest.Gold, chest.Dust = 14, 3 // and nobody saves it
			x.gone(1)
			var out []wire.Message
			take := func() {
				for sent := x.sent(); len(sent) > 0; sent = x.sent() {
					for _, m := range sent {
						if set, ok := m.Body.(*wire.SetFields); ok {
							out = append(out, m)
							x.step(&wire.Done{Context: set.Context, DO: set.DO})
						}
					}
				}
			}
			take()
			require.Equal(t, c.waits, !x.a.Quiet())
			x.tick(int64(lastTime) + 1)
			take()
			require.True(t, x.a.Quiet())
			var got []int
			for _, m := range out {
				v, ok := m.Body.(*wire.SetFields).Fields.Get(x.number("Gold"))
				require.True(t, ok)
				require.Equal(t, 1, m.Body.(*wire.SetFields).Fields.Len(), "only what is stored")
				n, _, err := fields.ReadInt(v)
				require.NoError(t, err)
				got = append(got, int(n))
			}
			require.Equal(t, c.want, got)
			if c.failed == "" {
				require.Empty(t, x.errs)
			} else {
				require.Len(t, x.errs, 1)
				require.ErrorContains(t, x.errs[0], c.failed)
				require.ErrorContains(t, x.errs[0], "OnDisable of ")
			}
			require.ErrorIs(t, chest.Save(), do.ErrDetached, "once it is over")
			require.Empty(t, x.a.lasts.byID)
		})
	}
}

func (x *lastTest) number(name string) fields.Number { return x.class.FieldByName(name).Number }

// A class without OnDelete and OnDisable has unsaved changes all the same.
func TestK7LastWriteWithoutHandler(t *testing.T) {
	x := newLastTest(t)
	x.enter("Crate", 1).(*CrateAI).Gold = 14
	x.gone(1)
	require.Equal(t, values(t, x.a.Schema().Class("Crate"), "Gold", 14), x.written(wire.CodeOK))
	x.enter("Crate", 2)
	x.gone(2)
	require.Empty(t, x.sent(), "nothing was changed")
	require.Empty(t, x.errs)
}

// What an AI does not run it does not write.
func TestK7OnlyWhoRanItWrites(t *testing.T) {
	x := newLastTest(t)
	x.enter("Crate", 1).(*CrateAI).Gold = 14
	x.step(&wire.ChangingAI{DO: petID(1), Version: do.Version{Inc: 1, N: 1, M: 1}, Old: x.a.Channel(), New: do.AI(do.NewID(1, 1, 98))})
	require.Nil(t, x.a.Find(petID(1)))
	require.Empty(t, x.sent())
}

// A value that its type refuses takes nothing else with it; a field that was unset is removed from the row.
func TestK7LastWriteOfWhatFits(t *testing.T) {
	x := newLastTest(t)
	x.end = func(_ context.Context, c *ChestAI) error { return c.Unset(&c.Label) }
	c := x.enter("Chest", 1).(*ChestAI)
	c.Gold, c.Label = 14, "much too long"
	x.gone(1)
	require.Equal(t, x.gold(14), x.written(wire.CodeOK))
	require.Len(t, x.errs, 1)
	require.ErrorContains(t, x.errs[0], "Chest.Label")
	require.Equal(t, []fields.Number{x.number("Label")}, x.one().(*wire.DeleteFields).Fields)
}

// A handler that waits when its object goes: what it changes then is written with the last handler's, if it ends before
// that. It is not if it ends later, when the next life may have begun, or if it answers a call, whose caller was told that
// the object is gone.
func TestK7LastWriteOfALateHandler(t *testing.T) {
	request := func(ctx context.Context, x *lastTest, id do.ID) error {
		_, err := x.a.Request(ctx, "ask", do.ObjectChannel(id), func(c uint32) wire.Body { return &wire.GetAll{Context: c, DO: id} })
		return err
	}
	for name, c := range map[string]struct {
		call, early bool
		want        bool
	}{
		"an event, early": {false, true, true},
		"an event, late":  {false, false, false},
		"a call, early":   {true, true, false},
		"a call, late":    {true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			x := newLastTest(t)
			x.end = func(ctx context.Context, _ *ChestAI) error { return request(ctx, x, petID(7)) }
			x.count = func(ctx context.Context, chest *ChestAI) error {
				err := request(ctx, x, petID(8))
				chest.Gold = 20
				return err
			}
			x.enter("Chest", 1)
			if c.call {
				x.step(&wire.Call{Context: 5, Caller: do.Session(petID(9)), DO: petID(1), Field: x.number("Count"), Args: []byte{0x90}, Deadline: x.now + 5*second})
			} else {
				x.step(&wire.Update{DO: petID(1), Version: do.Version{Inc: 1, N: 2}, Fields: fields.MapOf(fields.Pair{
					Number: x.number("Poke"), Value: fields.AppendString(nil, "go"),
				})})
			}
			late := x.one().(*wire.GetAll)
			x.gone(1)
			last := x.one().(*wire.GetAll)
			answer := func(g *wire.GetAll) {
				x.step(&wire.GetAllResp{Context: g.Context, Entry: wire.Entry{DO: g.DO}})
			}
			order := []*wire.GetAll{last, late}
			if c.early {
				order = []*wire.GetAll{late, last}
			}
			for _, g := range order {
				answer(g)
			}
			var written []fields.Map
			for _, m := range x.sent() {
				switch b := m.Body.(type) {
				case *wire.SetFields:
					written = append(written, b.Fields)
				case *wire.Bundle:
					require.True(t, c.call)
					require.NotEqual(t, wire.CodeOK, b.Ops[0].Reply.Code, "what was not written is no success")
				}
			}
			if c.want {
				require.Equal(t, []fields.Map{x.gold(20)}, written)
				require.Empty(t, x.errs)
				return
			}
			require.Empty(t, written)
			require.Len(t, x.errs, 1)
			require.ErrorIs(t, x.errs[0], ErrNoObject)
		})
	}
}

// While the database cannot take a last write it is sent again, in order, and who wants the object back waits for it.
func TestK7LastWriteIsRepeated(t *testing.T) {
	x := newLastTest(t)
	x.end = func(_ context.Context, c *ChestAI) error { c.Gold++; return nil }
	x.enter("Chest", 1).(*ChestAI).Gold = 14
	x.gone(1)
	for range 3 {
		require.Equal(t, x.gold(14), x.written(wire.CodeAway))
		require.Empty(t, x.sent(), "not at once")
		x.tick(second)
	}
	back := x.do(func(ctx context.Context) error {
		_, err := x.a.Activate(ctx, petID(1), Place{At: streetAt}, nil)
		return err
	})
	// A node whose link was lost may have lost the message, too; and so may one that never says anything.
	lost := x.one().(*wire.SetFields)
	x.step(&wire.LinkLost{Hosts: []do.Range{do.PartitionRange(do.KindObject, petID(1).Partition())}})
	x.sent()
	x.tick(second)
	// Somebody else may have had it since: the row is looked at.
	x.row(1, 7, 10)
	again := x.one().(*wire.SetFields)
	require.Equal(t, lost.Fields, again.Fields)
	require.EqualValues(t, 7, again.Row)
	x.step(&wire.Done{Context: lost.Context, DO: petID(1)}) // an answer that nobody waits for any more
	require.Empty(t, x.sent())
	x.tick(11 * second)
	require.Empty(t, x.sent())
	x.tick(second)
	require.ErrorIs(t, *back, context.DeadlineExceeded, "it waited no longer than it may")
	back = x.do(func(ctx context.Context) error {
		_, err := x.a.Activate(ctx, petID(1), Place{At: streetAt}, nil)
		return err
	})
	require.Equal(t, lost.Fields, x.written(wire.CodeOK))
	require.Equal(t, x.gold(15), x.written(wire.CodeOK))
	require.Equal(t, errPending, *back)
	require.IsType(t, &wire.Activate{}, x.one())
	require.Empty(t, x.errs)
}

// An AI that was cut off did not hear that an object went: it hears it by the question for its last word, which has its
// answer behind what is written. What went so is for Restore.
func TestRule131LastWordOfWhatWentUnheard(t *testing.T) {
	x := newLastTest(t)
	x.end = func(_ context.Context, c *ChestAI) error { c.Gold++; return nil }
	restored := 0
	x.a.ac.Restore = func(context.Context) error { restored++; return nil }
	x.enter("Chest", 1).(*ChestAI).Gold = 14
	ask := &wire.AskLastWord{DO: petID(1), Version: do.Version{Inc: 1, N: 2}}
	x.step(ask)
	require.Nil(t, x.a.Find(petID(1)))
	require.Equal(t, x.gold(14), x.written(wire.CodeOK))
	require.Equal(t, x.gold(15), x.written(wire.CodeOK))
	require.Equal(t, &wire.LastWord{DO: petID(1), Version: ask.Version}, x.one())
	require.Equal(t, 1, restored)

	next := x.enter("Chest", 2)
	ask = &wire.AskLastWord{DO: petID(2), Version: do.Version{Inc: 0, N: 2}}
	x.step(ask)
	require.Equal(t, next, x.a.Find(petID(2)), "it is about another life")
	require.Equal(t, &wire.LastWord{DO: petID(2), Version: ask.Version}, x.one())
}

// An AI whose link was lost is told that its object is not alive any more: what it changed is written if the row is as this
// side knew it, and stays so. Else the object had another life, or a write of this side of which it was not known that it was
// done: what was changed here on the values before is forgotten (K7).
func TestK7LastWriteOfALifeThatWasLost(t *testing.T) {
	for name, c := range map[string]struct {
		row     int   // its gold
		written []int // this side's last writes
	}{
		"nobody had it":   {10, []int{14, 15}},
		"somebody had it": {12, []int{13}},
		"it went unheard": {10, []int{14, 15}}, // and is heard by another message than the answer
	} {
		t.Run(name, func(t *testing.T) {
			x := newLastTest(t)
			x.end = func(_ context.Context, c *ChestAI) error { c.Gold++; return nil }
			x.enter("Chest", 1).(*ChestAI).Gold = 14
			x.a.Away(x.now)
			x.a.Rejoin(x.now)
			if name == "it went unheard" {
				x.sent()
				x.gone(1)
			}
			x.row(1, 5, c.row)
			require.Nil(t, x.a.Find(petID(1)))
			for i, gold := range c.written {
				set := x.one().(*wire.SetFields)
				require.Equal(t, x.gold(gold), set.Fields)
				require.EqualValues(t, 5+i, set.Row)
				x.step(&wire.Done{Context: set.Context, Of: set.Type(), DO: set.DO, Version: do.Version{N: uint32(6 + i)}})
			}
			require.Empty(t, x.sent())
			require.Empty(t, x.errs)
		})
	}
}

// What was set while the object went is in the row or not: the State may have failed to write it, and the AI did not hear. The
// last of it is written in both cases (K7).
func TestK7LastWriteAfterASetThatWasNotAnswered(t *testing.T) {
	for name, c := range map[string]struct {
		row    int // its gold
		writes bool
	}{
		"the set was lost":    {10, true},
		"it was done":         {11, true},
		"somebody else wrote": {9, false},
	} {
		t.Run(name, func(t *testing.T) {
			x := newLastTest(t)
			x.end = func(_ context.Context, c *ChestAI) error { c.Gold++; return nil }
			chest := x.enter("Chest", 1).(*ChestAI)
			chest.Gold = 11
			require.NoError(t, x.a.Save(&chest.Object))
			require.Equal(t, x.gold(11), x.one().(*wire.SetFields).Fields)
			x.gone(1)
			require.Equal(t, x.gold(12), x.one().(*wire.SetFields).Fields)
			x.a.Away(x.now)
			x.a.Rejoin(x.now)
			x.sent()
			x.errs = nil // of the set that was lost
			x.tick(second)
			x.row(1, 7, c.row)
			if !c.writes {
				require.Empty(t, x.sent())
				require.Len(t, x.errs, 1)
				require.ErrorIs(t, x.errs[0], wire.CodeConflict)
				return
			}
			set := x.one().(*wire.SetFields)
			require.Equal(t, x.gold(12), set.Fields)
			require.EqualValues(t, 7, set.Row)
			require.Empty(t, x.errs)
		})
	}
}

// An object went, and then its AI was cut off while it wrote the last of it: what it repeats must find the row as it was, or
// as this side left it. Else the object had another life (K7).
func TestK7LastWriteAfterAnAbsence(t *testing.T) {
	for name, c := range map[string]struct {
		row    int  // its gold
		alive  bool // again, with somebody
		writes bool
	}{
		"not done":       {row: 10, writes: true},
		"done, unheard":  {row: 12, writes: true}, // the State sees that it has it
		"somebody wrote": {row: 11},
		"the same":       {row: 13}, // as this side would have, had it sent that
		"alive again":    {row: 10, alive: true},
	} {
		t.Run(name, func(t *testing.T) {
			x := newLastTest(t)
			x.end = func(_ context.Context, c *ChestAI) error { c.Gold++; return nil }
			x.enter("Chest", 1).(*ChestAI).Gold = 12
			x.gone(1)
			require.Equal(t, x.gold(12), x.one().(*wire.SetFields).Fields)
			x.a.Away(x.now)
			x.a.Rejoin(x.now)
			x.sent()
			x.tick(second)
			if c.alive {
				get := body[*wire.GetAll](&x.aiTest, x.sent())
				x.step(&wire.GetAllResp{Context: get.Context, Entry: wire.Entry{
					DO: petID(1), Class: x.class.Number(), Version: do.Version{Inc: 2}, Fields: x.gold(c.row),
				}})
			} else {
				x.row(1, 7, c.row)
			}
			if c.writes {
				for i, gold := range []int{12, 13} {
					set := x.one().(*wire.SetFields)
					require.Equal(t, x.gold(gold), set.Fields)
					require.EqualValues(t, 7+i, set.Row)
					x.step(&wire.Done{Context: set.Context, Of: set.Type(), DO: set.DO, Version: do.Version{N: uint32(8 + i)}})
				}
				require.Empty(t, x.errs)
			} else {
				require.Len(t, x.errs, 1)
				require.ErrorIs(t, x.errs[0], wire.CodeConflict)
			}
			require.Empty(t, x.sent())
			require.Empty(t, x.a.lasts.byID)
		})
	}
}

// What the database refuses for good is reported; that there is no row is what it always is for an object that is not stored.
func TestK7LastWriteRefused(t *testing.T) {
	x := newLastTest(t)
	for code, errs := range map[wire.Code]int{wire.CodeNoObject: 0, wire.CodeConstraint: 1} {
		x.errs = nil
		x.enter("Crate", 1).(*CrateAI).Gold = 14
		x.gone(1)
		x.written(code)
		x.tick(20 * second)
		require.Empty(t, x.sent())
		require.Len(t, x.errs, errs)
		require.Empty(t, x.a.lasts.byID)
	}
}

// Commit in OnDelete returns when the database has what was set until then, or says that it does not.
func TestK7CommitAtTheEnd(t *testing.T) {
	for code, want := range map[wire.Code]error{wire.CodeOK: nil, wire.CodeConstraint: wire.CodeConstraint} {
		x := newLastTest(t)
		done := errPending
		x.end = func(ctx context.Context, c *ChestAI) error {
			c.Gold++
			done = c.Commit(ctx)
			return nil
		}
		x.enter("Chest", 1)
		x.gone(1)
		require.Equal(t, errPending, done)
		require.Equal(t, x.gold(11), x.written(code))
		require.ErrorIs(t, done, want)
		require.Empty(t, x.a.lasts.byID)
	}
}

// An AI that is closed saves, once, what nobody has saved of what it runs; what a handler has not finished is undone (K7).
func TestK7CloseSavesWhatIsChanged(t *testing.T) {
	x := newLastTest(t)
	x.enter("Chest", 1).(*ChestAI).Gold = 14
	x.count = func(ctx context.Context, c *ChestAI) error {
		c.Gold = 15
		err := x.a.Sleep(ctx, time.Minute)
		c.Gold = 16
		return err
	}
	x.enter("Chest", 2)
	x.step(&wire.Update{DO: petID(2), Version: do.Version{Inc: 1, N: 2}, Fields: fields.MapOf(fields.Pair{
		Number: x.number("Poke"), Value: fields.AppendString(nil, "go"),
	})})
	require.Equal(t, x.gold(15), x.written(wire.CodeOK), "a wait is a save point")
	x.enter("Chest", 3)

	x.a.Close()
	set := x.one().(*wire.SetFields)
	require.Equal(t, petID(1), set.DO)
	require.Equal(t, x.gold(14), set.Fields)
	require.Empty(t, x.errs)
	x.a.Close()
	require.Empty(t, x.sent())
}

// Where it is not known what the State has, an AI that is closed writes nothing, and says so.
func TestK7CloseSavesNothingInDoubt(t *testing.T) {
	x := newLastTest(t)
	chest := x.enter("Chest", 1).(*ChestAI)
	x.step(&wire.LinkLost{Hosts: []do.Range{do.PartitionRange(do.KindObject, petID(1).Partition())}})
	x.sent()
	chest.Gold = 14
	x.a.Close()
	require.Empty(t, x.sent())
	require.Len(t, x.errs, 1)
	require.ErrorIs(t, x.errs[0], wire.CodeLinkLost)
}

// An AI that is closed sends what waits.
func TestK7CloseSendsLastWrites(t *testing.T) {
	x := newLastTest(t)
	x.end = func(_ context.Context, c *ChestAI) error { c.Gold++; return nil }
	x.enter("Chest", 1).(*ChestAI).Gold = 14
	x.gone(1)
	require.Equal(t, x.gold(14), x.one().(*wire.SetFields).Fields)
	x.a.Close()
	require.Equal(t, x.gold(15), x.one().(*wire.SetFields).Fields)
	x.a.Close()
	require.Empty(t, x.sent())
}
