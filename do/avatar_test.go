package do

import (
	"context"
	"errors"
	"strings"

	"github.com/otpd/otpd/fields"
)

// The classes of the tests: a base, an avatar with every kind of member, and its behaviours.

type testVec2 struct{ X, Y float32 }

type testVec3 struct{ X, Y, Z float32 }

type testRequest struct{ Item string }

type testReceipt struct {
	Item string
	Paid int64
}

type Named struct {
	Object
	Name string `do:"required,db,broadcast,clsend,ownsend,airecv,review,max=24"`
}

type Avatar struct {
	Named
	HP    int16    `do:"required,db,broadcast,min=0,max=100,default=100"`
	Pos   testVec3 `do:"ram,broadcast,ownsend,latest"`
	Gold  int64    `do:"required,db,ownrecv"`
	_     Gone
	Tags  []string                       `do:"ram,broadcast"`
	X     float32                        `do:"ram,broadcast,ownsend,airecv"`
	Y     float32                        `do:"ram,broadcast,ownsend,airecv"`
	Level uint8                          `do:"required,min=1"`
	Say   Event[string]                  `do:"broadcast,ownsend,airecv,max=200,rate=5"`
	Buy   Call[testRequest, testReceipt] `do:"ownsend"`
	Walk  Molecular                      `do:"of=X|Y"`
}

type AvatarAI struct {
	Avatar
	log  []string
	fail error
}

func (a *AvatarAI) note(s string) { a.log = append(a.log, s) }

func (a *AvatarAI) OnGenerate()                        { a.note("generate " + a.Name) }
func (a *AvatarAI) OnDisable(ctx context.Context)      { a.note("disable") }
func (a *AvatarAI) OnDelete() error                    { a.note("delete"); return a.fail }
func (a *AvatarAI) OnName(old string)                  { a.note("name " + old + " -> " + a.Name) }
func (a *AvatarAI) OnWalk(ctx context.Context) error   { a.note("walk"); return nil }
func (a *AvatarAI) CleanName(s string) (string, error) { return strings.TrimSpace(s), a.fail }
func (a *AvatarAI) Online() bool                       { return true }

func (a *AvatarAI) ValidateName(s string) error {
	if s == "" {
		return errEmpty
	}
	return nil
}

func (a *AvatarAI) OnSay(ctx context.Context, text string) error {
	a.note("say " + text)
	return a.fail
}

func (a *AvatarAI) OnBuy(ctx context.Context, req testRequest) (testReceipt, error) {
	if a.fail != nil {
		return testReceipt{}, a.fail
	}
	a.Gold -= 5
	return testReceipt{Item: req.Item, Paid: 5}, nil
}

var errEmpty = errors.New("the name is empty")

// testLink records what objects ask of their repository.
type testLink struct {
	log   []string
	arg   []byte
	reply []byte
	err   error
}

func (l *testLink) add(s string) error { l.log = append(l.log, s); return l.err }

func (l *testLink) Save(o *Object) error                        { return l.add("save " + o.ID().String()) }
func (l *testLink) Commit(ctx context.Context, o *Object) error { return l.add("commit") }
func (l *testLink) Delete(o *Object) error                      { return l.add("delete") }
func (l *testLink) Move(o *Object, to Location) error           { return l.add("move " + to.String()) }

func (l *testLink) SendEvent(o *Object, f *Field, arg []byte, to Channel) error {
	l.arg = arg
	return l.add("send " + f.Name + " to " + to.String())
}

func (l *testLink) Call(ctx context.Context, o *Object, f *Field, req []byte) ([]byte, error) {
	l.arg = req
	return l.reply, l.add("call " + f.Name)
}

// mustField is the number of a field of a class.
func mustField(c *Class, name string) fields.Number { return c.FieldByName(name).Number }

var errOther = errors.New("another error")
