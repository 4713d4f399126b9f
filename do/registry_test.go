package do

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/fields"
)

func TestRegistryMakesTheSchemaOfWhatWasRegistered(t *testing.T) {
	r := NewRegistry()
	require.Empty(t, r.Schema().Classes())
	require.NoError(t, r.Class(Avatar{}))
	require.NoError(t, r.Class(&Avatar{}), "twice is the same")
	require.NoError(t, r.UberDOG(WellKnown(4670), Auth{}, true))
	require.Equal(t, `dclass Named {
  string(0-24) Name required db broadcast clsend ownsend airecv; //! review
};
dclass Avatar : Named {
  int16(0-100) HP = 100 required db broadcast;
  blob Pos ram broadcast ownsend; //! latest type="{X float32, Y float32, Z float32}"
  int64 Gold required db ownrecv;
  //! gone;
  string[] Tags ram broadcast;
  float32 X ram broadcast ownsend airecv;
  float32 Y ram broadcast ownsend airecv;
  uint8(1-255) Level required;
  Say(string(0-200)) broadcast ownsend airecv; //! rate=5
  Buy(blob) ownsend; //! type="{Item string}" reply="{Item string, Paid int64}"
  Walk : X, Y;
};
dclass Auth {
  Login(string) clsend;
};
//! uberdog #4670 Auth anonymous;
`, string(r.Schema().Text()))
	require.Equal(t, []Binding{{WellKnown(4670), "Auth", true}}, r.Schema().UberDOGs())
}

type Auth struct {
	Object
	Login Event[string] `do:"clsend"`
}

func TestBehaviourRegistersItsClass(t *testing.T) {
	r := NewRegistry()
	require.NoError(t, r.Behave(func() *AvatarAI { return &AvatarAI{fail: errEmpty} }))
	require.NotNil(t, r.Schema().Class("Avatar"))
	b := r.Behaviour("Avatar", SideAI)
	require.Equal(t, SideAI, b.Side())
	require.Equal(t, "AvatarAI", b.GoType().Name())
	require.Equal(t, "Avatar", b.Class().Name())
	in, err := b.New()
	require.NoError(t, err)
	a := in.Target().(*AvatarAI)
	require.Equal(t, errEmpty, a.fail, "made by the function")
	require.Equal(t, int16(100), a.HP, "and filled with defaults")

	require.Equal(t, SideAny, r.Behaviour("Avatar", SideClient).Side(), "the class's own, where no other is registered")
	in, err = r.Behaviour("Avatar", SideClient).New()
	require.NoError(t, err)
	require.IsType(t, &Avatar{}, in.Target())
	require.Nil(t, r.Behaviour("Nobody", SideAI))

	of, err := r.BehaviourOf(a)
	require.NoError(t, err)
	require.Same(t, b, of)
	_, err = r.BehaviourOf(&testVec2{})
	require.EqualError(t, err, "do: *do.testVec2: wrong schema: it is not registered")

	require.NoError(t, r.Behave(func() *AvatarOV { return new(AvatarOV) }))
	require.Equal(t, SideOwner, r.Behaviour("Avatar", SideOwner).Side())
	require.NoError(t, r.BehaveAs(SideUberDOG, func() *Shop { return nil }))
	_, err = r.Behaviour("Auth", SideUberDOG).New()
	require.ErrorContains(t, err, "its function returned nil")
}

// AvatarOV is the owner's view of an avatar.
type AvatarOV struct{ Avatar }

func (a *AvatarOV) OnGold(old int64) {}

// Shop is a behaviour whose name does not say its side.
type Shop struct{ Auth }

func (s *Shop) OnLogin(name string) {}

func bound(t *testing.T) (*Behaviour, *AvatarAI, *Instance) {
	t.Helper()
	r := NewRegistry()
	require.NoError(t, r.Behave(func() *AvatarAI { return new(AvatarAI) }))
	b := r.Behaviour("Avatar", SideAI)
	in, err := b.New()
	require.NoError(t, err)
	return b, in.Target().(*AvatarAI), in
}

func TestHandlersAreCalledByName(t *testing.T) {
	b, a, in := bound(t)
	ctx := context.Background()
	n := func(name string) fields.Number { return mustField(b.Class(), name) }
	require.True(t, b.Handles(n("Say")))
	require.False(t, b.Handles(n("HP")))
	require.False(t, b.Handles(1<<14-1))

	_, _, err := in.Apply(n("Name"), fields.AppendString(nil, "Flippy"))
	require.NoError(t, err)
	require.NoError(t, b.Generate(ctx, in))
	old, _, err := in.Apply(n("Name"), fields.AppendString(nil, "Duck"))
	require.NoError(t, err)
	_, err = b.Handle(ctx, in, n("Name"), old)
	require.NoError(t, err)
	_, err = b.Handle(ctx, in, n("Say"), fields.AppendString(nil, "hi"))
	require.NoError(t, err)
	_, err = b.Handle(ctx, in, n("Walk"), nil)
	require.NoError(t, err)
	reply, err := b.Handle(ctx, in, n("HP"), nil)
	require.NoError(t, err, "no handler, nothing to do")
	require.Nil(t, reply)
	require.NoError(t, b.Disable(ctx, in))
	require.NoError(t, b.Delete(ctx, in))
	require.Equal(t, []string{"generate Flippy", "name Flippy -> Duck", "say hi", "walk", "disable", "delete"}, a.log)
}

func TestCallHandlerAnswers(t *testing.T) {
	b, a, in := bound(t)
	buy := b.Class().FieldByName("Buy")
	req := fields.AppendString(fields.AppendArrayHeader(nil, 1), "ale")
	reply, err := b.Handle(context.Background(), in, buy.Number, req)
	require.NoError(t, err)
	require.Equal(t, `{Item:"ale" Paid:5}`, buy.Reply.Text(reply))
	require.Equal(t, int64(-5), a.Gold)

	a.fail = errEmpty
	_, err = b.Handle(context.Background(), in, buy.Number, req)
	require.Equal(t, errEmpty, err, "the method's own error")
	_, err = b.Handle(context.Background(), in, buy.Number, append(req, 0))
	require.ErrorIs(t, err, fields.ErrTrailing)
	_, err = b.Handle(context.Background(), in, buy.Number, nil)
	require.ErrorIs(t, err, fields.ErrShort)
	_, err = b.Handle(context.Background(), in, 1<<14-1, req)
	require.ErrorIs(t, err, ErrNoField)

	r := NewRegistry()
	require.NoError(t, r.Class(Avatar{}))
	none := r.Behaviour("Avatar", SideAI)
	in, err = none.New()
	require.NoError(t, err)
	_, err = none.Handle(context.Background(), in, buy.Number, req)
	require.ErrorContains(t, err, "Avatar has no OnBuy")
}

func TestReviewCleansBeforeItValidates(t *testing.T) {
	b, a, in := bound(t)
	ctx := context.Background()
	name := mustField(b.Class(), "Name")
	got, err := b.Review(ctx, in, name, fields.AppendString(nil, "  Flippy "))
	require.NoError(t, err)
	require.Equal(t, fields.AppendString(nil, "Flippy"), got)
	require.Empty(t, a.Name, "the AI sets it, not the review")
	_, err = b.Review(ctx, in, name, fields.AppendString(nil, "   "))
	require.Equal(t, errEmpty, err, "validated after it was cleaned")
	_, err = b.Review(ctx, in, name, fields.AppendString(nil, string(make([]byte, 25))))
	require.ErrorIs(t, err, fields.ErrLength)
	_, err = b.Review(ctx, in, mustField(b.Class(), "Say"), nil)
	require.ErrorIs(t, err, ErrNoField)
	hp := fields.AppendInt(nil, 5)
	got, err = b.Review(ctx, in, mustField(b.Class(), "HP"), hp)
	require.NoError(t, err)
	require.Equal(t, hp, got, "nothing to clean")
	a.fail = errOther
	_, err = b.Review(ctx, in, name, fields.AppendString(nil, "x"))
	require.Equal(t, errOther, err)
}

// Several parents.

type Flyer struct {
	Object
	Altitude float32 `do:"ram,broadcast"`
}

type Bird struct {
	Object
	Named
	Flyer
	Wings uint8 `do:"required,default=2"`
}

type BirdAI struct{ Bird }

func (b *BirdAI) OnAltitude(old float32) {}

func TestSeveralParents(t *testing.T) {
	r := NewRegistry()
	require.NoError(t, r.Behave(func() *BirdAI { return new(BirdAI) }))
	c := r.Schema().Class("Bird")
	var levels []string
	for _, a := range c.Ancestors() {
		levels = append(levels, a.Name())
	}
	require.Equal(t, []string{"Flyer", "Named", "Bird"}, levels)
	b := New[BirdAI]()
	in := InstanceOf(&b.Object)
	for _, o := range []*Object{&b.Named.Object, &b.Flyer.Object} {
		require.Same(t, in, InstanceOf(o), "one object, whichever parent's methods are used")
	}
	b.Altitude, b.Name = 3, "Owl"
	require.Equal(t, `Altitude:3 Name:"Owl"`, changed(t, in))
	require.Equal(t, uint8(2), b.Wings)
}

// LateAI has something in front of its class.
type LateAI struct {
	seen int64
	Avatar
}

func (l *LateAI) OnTags(old []string) { l.seen += int64(len(old)) }

func TestBehaviourWithDataInFrontOfItsClass(t *testing.T) {
	r := NewRegistry()
	require.NoError(t, r.Behave(func() *LateAI { return &LateAI{seen: 1} }))
	b := r.Behaviour("Avatar", SideAI)
	in, err := b.New()
	require.NoError(t, err)
	l := in.Target().(*LateAI)
	l.Tags = []string{"a", "b"}
	require.Equal(t, `Tags:["a" "b"]`, changed(t, in))
	n := mustField(b.Class(), "Tags")
	value, ok := in.Value(n)
	require.True(t, ok)
	_, err = b.Handle(context.Background(), in, n, value)
	require.NoError(t, err)
	require.Equal(t, int64(3), l.seen)
	_, ok = in.Value(mustField(b.Class(), "Say"))
	require.False(t, ok)
}

func TestRegistrationThatFailsChangesNothing(t *testing.T) {
	r := NewRegistry()
	require.NoError(t, r.Class(Named{}))
	before := string(r.Schema().Text())
	require.Error(t, r.UberDOG(WellKnown(1), Avatar{}, false))
	require.Error(t, r.UberDOG(ID{}, Auth{}, false))
	require.Error(t, r.Behave(func() *wrongMethodAI { return nil }))
	require.Equal(t, before, string(r.Schema().Text()))
	require.Nil(t, r.Behaviour("Avatar", SideAny))
	require.NoError(t, r.UberDOG(WellKnown(1), Auth{}, false))
	require.NoError(t, r.Class(Avatar{}))
}

type wrongMethodAI struct{ Avatar }

func (*wrongMethodAI) OnHp(old int16) {}
