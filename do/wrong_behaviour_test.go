package do

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// Behaviours that are wrong, each in one way.
type (
	noFieldAI    struct{ Avatar }
	oldTypeAI    struct{ Avatar }
	eventArgsAI  struct{ Avatar }
	callResultAI struct{ Avatar }
	callNoErrAI  struct{ Avatar }
	hookArgsAI   struct{ Avatar }
	noAirecvAI   struct{ Avatar }
	noReviewAI   struct{ Avatar }
	cleanShapeAI struct{ Avatar }
	cleanCallAI  struct{ Avatar }
	clientReview struct{ Avatar }
	deafClient   struct{ Avatar }
	deafOV       struct{ Avatar }
	variadicAI   struct{ Avatar }
	twoClassesAI struct {
		Avatar
		Auth
	}
	noClassAI   struct{ n int }
	byPointerAI struct{ *Avatar }
	molecularAI struct{ Avatar }
)

func (*noFieldAI) OnFoo(old int16)                                          {}
func (*oldTypeAI) OnHP(old int32)                                           {}
func (*eventArgsAI) OnSay(ctx context.Context, a, b string)                 {}
func (*callResultAI) OnBuy(ctx context.Context, r testRequest) (int, error) { return 0, nil }
func (*callNoErrAI) OnBuy(r testRequest) testReceipt                        { return testReceipt{} }
func (*hookArgsAI) OnGenerate(n int)                                        {}
func (*noAirecvAI) OnPos(old testVec3)                                      {}
func (*noReviewAI) ValidateHP(hp int16) error                               { return nil }
func (*cleanShapeAI) CleanName(s string) string                             { return s }
func (*cleanCallAI) CleanSay(s string) (string, error)                      { return s, nil }
func (*clientReview) ValidateName(s string) error                           { return nil }
func (*deafClient) OnLevel(old uint8)                                       {}
func (*deafOV) OnHP(old int16)                                              {}
func (*variadicAI) OnTags(old ...string)                                    {}
func (*molecularAI) OnWalk(x float32)                                       {}

func TestWrongBehaviours(t *testing.T) {
	tests := []struct {
		make any
		want string
	}{
		{nil, `do: behaviour <nil>: wrong schema: want a function like func() *AvatarAI`},
		{Avatar{}, `do: behaviour do.Avatar: wrong schema: want a function like func() *AvatarAI`},
		{func() AvatarAI { return AvatarAI{} }, `do: behaviour func() do.AvatarAI: wrong schema: want a function like func() *AvatarAI`},
		{func(int) *AvatarAI { return nil }, `do: behaviour func(int) *do.AvatarAI: wrong schema: want a function like func() *AvatarAI`},
		{(func() *AvatarAI)(nil), `do: behaviour func() *do.AvatarAI: wrong schema: want a function like func() *AvatarAI`},
		{func() *noFieldAI { return nil }, `do: behaviour noFieldAI: method OnFoo: wrong schema: class Avatar has no field Foo`},
		{func() *oldTypeAI { return nil }, `do: behaviour oldTypeAI: method OnHP: wrong schema: it is func(int32), want func([context.Context,] int16) [error]`},
		{func() *eventArgsAI { return nil }, `do: behaviour eventArgsAI: method OnSay: wrong schema: it is func(context.Context, string, string), want func([context.Context,] string) [error]`},
		{func() *callResultAI { return nil }, `do: behaviour callResultAI: method OnBuy: wrong schema: it is func(context.Context, do.testRequest) (int, error), want func([context.Context,] do.testRequest) (do.testReceipt, error)`},
		{func() *callNoErrAI { return nil }, `do: behaviour callNoErrAI: method OnBuy: wrong schema: it is func(do.testRequest) do.testReceipt, want func([context.Context,] do.testRequest) (do.testReceipt, error)`},
		{func() *hookArgsAI { return nil }, `do: behaviour hookArgsAI: method OnGenerate: wrong schema: it is func(int), want func([context.Context]) [error]`},
		{func() *noAirecvAI { return nil }, `do: behaviour noAirecvAI: method OnPos: wrong schema: clients may set Avatar.Pos, but the AI never hears of it: add airecv`},
		{func() *noReviewAI { return nil }, `do: behaviour noReviewAI: method ValidateHP: wrong schema: what clients set in Avatar.HP does not pass by the AI: add review`},
		{func() *cleanShapeAI { return nil }, `do: behaviour cleanShapeAI: method CleanName: wrong schema: it is func(string) string, want func([context.Context,] string) (string, error)`},
		{func() *cleanCallAI { return nil }, `do: behaviour cleanCallAI: method CleanSay: wrong schema: Avatar.Say is no state field: Clean and Validate are about those`},
		{func() *clientReview { return nil }, `do: behaviour clientReview: method ValidateName: wrong schema: values are cleaned and validated by the AI, and this is a client behaviour`},
		{func() *deafClient { return nil }, `do: behaviour deafClient: method OnLevel: wrong schema: clients never hear of Avatar.Level: it is neither broadcast nor ownrecv`},
		{func() *deafOV { return nil }, `do: behaviour deafOV: method OnHP: wrong schema: an owner view only hears ownrecv fields, and Avatar.HP is none (rule 158)`},
		{func() *variadicAI { return nil }, `do: behaviour variadicAI: method OnTags: wrong schema: it is func(...string), want func([context.Context,] []string) [error]`},
		{func() *twoClassesAI { return nil }, `do: do.twoClassesAI: wrong schema: it embeds the classes Avatar and Auth: a behaviour embeds one, and a class with several parents embeds do.Object first`},
		{func() *noClassAI { return &noClassAI{n: 1} }, `do: do.noClassAI: wrong schema: it embeds neither do.Object nor a class`},
		{func() *byPointerAI { return nil }, `do: do.byPointerAI: wrong schema: it embeds Avatar by pointer: embed it by value`},
		{func() *molecularAI { return nil }, `do: behaviour molecularAI: method OnWalk: wrong schema: it is func(float32), want func([context.Context]) [error]`},
	}
	for _, test := range tests {
		r := NewRegistry()
		err := r.Behave(test.make)
		require.ErrorIs(t, err, ErrSchema, "%T", test.make)
		require.EqualError(t, err, test.want)
		require.Empty(t, r.Schema().Classes())
	}
	r := NewRegistry()
	require.NoError(t, r.Behave(func() *AvatarAI { return nil }))
	require.EqualError(t, r.Behave(func() *AvatarAI { return nil }),
		"do: behaviour AvatarAI: wrong schema: class Avatar has the AI behaviour AvatarAI already")
}
