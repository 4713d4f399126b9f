package wire

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

const avatarSchema = `
dclass Street {
};
dclass Avatar {
  string(0-24) Name required db broadcast;
  int16(0-100) HP = 100 required db broadcast;
  float32 X ram broadcast ownsend;
  float32 Y ram broadcast ownsend;
  Say(string(0-200)) broadcast ownsend;
  Buy(blob) ownsend; //! type="{Item string}" reply="{Item string, Paid int64}"
  Walk : X, Y;
};
`

// world is a printer with a street, an avatar, its AI and its client, and what belongs to them.
type world struct {
	Printer
	street, avatar, ai, client, other do.ID
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := do.ParseSchema([]byte(avatarSchema))
	require.NoError(t, err)
	w := &world{
		street: do.WellKnown(1), avatar: do.NewID(2, 1e12, 1), ai: do.NewID(3, 1e12, 2),
		client: do.NewID(3, 1e12, 3), other: do.NewID(4, 1e12, 4),
	}
	w.Printer = Printer{Schema: s, Names: map[do.ID]string{w.street: "street", w.avatar: "avatar1", w.ai: "ai1", w.client: "client1"}}
	return w
}

func (w *world) at(z do.Zone) do.Location { return do.Location{Parent: w.street, Zone: z} }

func (w *world) set(t *testing.T, texts ...string) fields.Map {
	t.Helper()
	var pairs []fields.Pair
	for i := 0; i < len(texts); i += 2 {
		f := w.Schema.Class("Avatar").FieldByName(texts[i])
		require.NotNil(t, f)
		v, err := f.Type.ParseText(texts[i+1])
		require.NoError(t, err)
		pairs = append(pairs, fields.Pair{Number: f.Number, Value: v})
	}
	return fields.MapOf(pairs...)
}

func (w *world) number(name string) fields.Number {
	return w.Schema.Class("Avatar").FieldByName(name).Number
}

func TestLinesOfMessages(t *testing.T) {
	w := newWorld(t)
	v := do.Version{Inc: do.NewIncarnation(1, 2), N: 3}
	ai, client, object := do.AI(w.ai), do.Session(w.client), do.ObjectChannel(w.avatar)
	avatar := Entry{DO: w.avatar, Class: 1, Version: v, Location: w.at(20), Fields: w.set(t, "Name", `"Flippy"`, "HP", "15")}
	item := fields.AppendString(fields.AppendArrayHeader(nil, 1), "tea")
	receipt := fields.AppendInt(fields.AppendString(fields.AppendArrayHeader(nil, 2), "tea"), 3)
	walk := fields.AppendFloat32(fields.AppendFloat32(fields.AppendArrayHeader(nil, 2), 1), 2.5)

	for _, line := range []struct {
		m    Message
		want string
	}{
		{
			Message{From: object, To: []do.Channel{do.ObjectChannel(w.avatar)}, Body: &SetFields{DO: w.avatar, Fields: w.set(t, "HP", "7")}},
			`avatar1 -> object avatar1: SetFields avatar1 {0.1:7}`, // nobody said yet what it is
		},
		{
			Message{From: object, To: []do.Channel{do.At(w.at(20))}, Body: &EnterLocation{Entry: avatar}},
			`avatar1 -> location street/20: EnterLocation avatar1 Avatar street/20 {Name:"Flippy" HP:15}`,
		},
		{
			Message{From: ai, To: []do.Channel{do.At(w.at(20)), do.ObjectChannel(w.street)}, Body: &ChangingLocation{DO: w.avatar, Class: 1, New: w.at(21), Old: w.at(20)}},
			`ai1 -> location street/20, object street: ChangingLocation avatar1 street/20 -> street/21`,
		},
		{
			Message{From: ai, To: []do.Channel{do.ObjectChannel(w.street)}, Body: &ChangingLocation{DO: w.avatar, Class: 1, New: w.at(20)}},
			`ai1 -> object street: ChangingLocation avatar1 none -> street/20`,
		},
		{
			Message{From: ai, To: []do.Channel{object}, Body: &SetFields{Context: 7, DO: w.avatar, Fields: w.set(t, "HP", "7"), Durable: true}},
			`ai1 -> object avatar1: SetFields avatar1 {HP:7} durable context=7`,
		},
		{
			Message{From: client, To: []do.Channel{object}, Body: &SetFields{DO: w.avatar, Fields: fields.MapOf(fields.Pair{Number: w.number("Walk"), Value: walk})}},
			`client1 -> object avatar1: SetFields avatar1 {Walk:[X:1 Y:2.5]}`,
		},
		{
			Message{From: object, To: []do.Channel{client}, Body: &Failed{Context: 7, Of: TypeSetFields, DO: w.avatar, Code: CodeConstraint, Text: "HP", Fields: w.set(t, "HP", "15")}},
			`avatar1 -> session client1: Failed SetFields avatar1 Constraint text="HP" {HP:15} context=7`,
		},
		{
			Message{From: client, To: []do.Channel{object}, Body: &Call{Context: 4, Caller: client, DO: w.avatar, Field: w.number("Buy"), Args: item, Deadline: 9}},
			`client1 -> object avatar1: Call caller=client1 avatar1 Buy {Item:"tea"} deadline=9 context=4`,
		},
		{
			Message{From: ai, To: []do.Channel{object}, Body: &Bundle{DO: w.avatar, Ops: []Op{
				{Kind: OpSet, DO: w.avatar, Fields: w.set(t, "HP", "3")},
				{Kind: OpMove, DO: w.avatar, Location: w.at(5)},
				{Kind: OpReply, DO: w.avatar, Caller: client, Reply: CallReply{Context: 4, Field: w.number("Buy"), Result: receipt}},
			}}},
			`ai1 -> object avatar1: Bundle avatar1 ops=[set avatar1 {HP:3}, move avatar1 street/5, reply avatar1 Buy {Item:"tea" Paid:3} caller=client1 call=4]`,
		},
		{
			Message{From: do.Control(do.RoleClientAgent), To: []do.Channel{do.ObjectChannel(w.street)}, Body: &GetZonesObjects{Context: 3, Parent: w.street, Zones: []do.Zone{20, 21}}},
			`control clientagent -> object street: GetZonesObjects parent=street zones=[20 21] context=3`,
		},
		{
			Message{From: do.ObjectChannel(w.street), To: []do.Channel{do.Control(do.RoleClientAgent)}, Body: &ZonesObjects{Context: 3, Parent: w.street, Last: true, List: []Listed{{DO: w.other, Zone: 20}, {DO: w.ai, Zone: 21}}, Entries: []Entry{avatar}}},
			`street -> control clientagent: ZonesObjects parent=street last list=[` + w.other.String() + ` zone=20, ai1 zone=21] entries=[avatar1 Avatar street/20 {Name:"Flippy" HP:15}] context=3`,
		},
		{
			Message{From: ai, To: []do.Channel{object}, Body: &GetFields{DO: w.avatar, Fields: []fields.Number{w.number("HP"), 77}}},
			`ai1 -> object avatar1: GetFields avatar1 fields=[HP 1.13]`,
		},
		{
			Message{From: ai, To: []do.Channel{object}, Body: &SetAI{DO: w.avatar, AI: ai}},
			`ai1 -> object avatar1: SetAI avatar1 ai=ai1`,
		},
		{
			Message{From: ai, To: []do.Channel{do.Control(do.RoleDirector)}, Body: &AddPostRemove{Key: ai, Message: Message{From: ai, To: []do.Channel{do.Control(do.RoleStateServer)}, Body: &DeleteAIObjects{AI: ai}}}},
			`ai1 -> control director: AddPostRemove key=ai1 (ai1 -> control stateserver: DeleteAIObjects ai=ai1)`,
		},
		{
			Message{From: ai, To: []do.Channel{client}, Body: &SetState{State: StateEstablished}},
			`ai1 -> session client1: SetState established`,
		},
		{Message{Body: &Tick{}}, `none -> : Tick`},
		{Message{}, `none -> : nothing`},
	} {
		require.Equal(t, line.want, w.Message(line.m))
	}
}

func TestLinesOfFramesNameWhatAnAliasStandsFor(t *testing.T) {
	w := newWorld(t)
	hp, err := w.Schema.Class("Avatar").FieldByName("HP").Type.ParseText("7")
	require.NoError(t, err)
	update := &ClientUpdate{Alias: 300, Field: w.number("HP"), Value: hp}
	require.Equal(t, `ClientUpdate alias=300 0.1 7`, w.Frame(update))
	require.Equal(t, `ClientEnter alias=300 avatar1 Avatar street/20 owned {HP:7}`,
		w.Frame(&ClientEnter{Alias: 300, DO: w.avatar, Class: 1, Location: w.at(20), Owned: true, Fields: w.set(t, "HP", "7")}))
	require.Equal(t, `ClientUpdate avatar1 HP 7`, w.Frame(update))
	require.Equal(t, `ClientSet #4670 {0.1:7} context=2`, w.Frame(&ClientSet{Context: 2, Ref: UberDOGRef(4670), Fields: w.set(t, "HP", "7")}))
	require.Equal(t, `ClientLeave avatar1 deleted`, w.Frame(&ClientLeave{Alias: 300, Reason: LeaveDeleted}))
	require.Equal(t, `ClientEject BadType text="no"`, w.Frame(&ClientEject{Reason: ReasonBadType, Text: "no"}))
	require.Equal(t, `ClientHello version="1" schema=0x00000000000000000000000000000000...(32 bytes)`, w.Frame(&ClientHello{Version: "1", Schema: make([]byte, 32)}))
}

func TestVersionsAreWrittenWhenAskedFor(t *testing.T) {
	w := newWorld(t)
	m := Message{From: do.ObjectChannel(w.avatar), To: []do.Channel{do.At(w.at(1))}, Body: &Update{DO: w.avatar, Version: do.Version{Inc: do.NewIncarnation(1, 2), N: 3}}}
	require.Equal(t, "avatar1 -> location street/1: Update avatar1", w.Message(m))
	w.Versions = true
	require.Equal(t, "avatar1 -> location street/1: Update avatar1 @1.2:3.0", w.Message(m))
	w.Names = nil
	require.Equal(t, m.String(), w.Message(m), "String is a printer without names")
}

// A value that is not one of its field's type is shown as what it is.
func TestWrongValuesAreShownAsTheyAre(t *testing.T) {
	w := newWorld(t)
	w.Learn(w.avatar, 1)
	for want, value := range map[string][]byte{
		`"x"`:       fields.AppendString(nil, "x"),
		"-300":      fields.AppendInt(nil, -300),
		"true":      fields.AppendBool(nil, true),
		"2.5":       fields.AppendFloat64(nil, 2.5),
		"0x0102":    fields.AppendBin(nil, []byte{1, 2}),
		"[1 [nil]]": {0x92, 1, 0x91, 0xc0},
		`{"a":1}`:   {0x81, 0xa1, 'a', 1},
		"!0xc1":     {0xc1},
	} {
		require.Equal(t, "ClientUpdate avatar1 HP "+want, func() string {
			w.learnAlias(5, w.avatar, 1)
			return w.Frame(&ClientUpdate{Alias: 5, Field: w.number("HP"), Value: value})
		}())
	}
	require.Equal(t, "SetFields avatar1 {HP:1 invalid}", w.Body(&SetFields{DO: w.avatar, Fields: fields.Map{0x82, byte(w.number("HP")), 1, 0, 1}}))
}

func TestChannelsAreReadBack(t *testing.T) {
	w := newWorld(t)
	for _, c := range []do.Channel{
		{},
		do.AllClients(), do.Control(do.RoleDatabase), do.ControlOf(do.RoleClientAgent, w.ai), do.ControlOf(do.RoleClientAgent, w.other),
		do.ObjectChannel(w.avatar), do.ObjectChannel(w.other), do.At(w.at(20)), do.Children(w.street), do.Session(w.client), do.Record(w.other),
	} {
		got, err := w.ParseChannel(w.Channel(c))
		require.NoError(t, err, w.Channel(c))
		require.Equal(t, c, got, w.Channel(c))
	}
	for _, s := range []string{"", "object", "object nobody", "location street", "location street/x", "location nobody/1", "control clientagent nobody", "nothing street"} {
		_, err := w.ParseChannel(s)
		require.Error(t, err, s)
	}
	l, err := w.ParseLocation("none")
	require.NoError(t, err)
	require.True(t, l.IsZero())
}

// Whatever a message says, its line is one line.
func TestLinesAreOneLine(t *testing.T) {
	each(t, func(t *rapid.T, _ subject, v any) {
		var s string
		switch v := v.(type) {
		case Message:
			s = v.String()
			require.Contains(t, s, v.Body.Type().String())
			require.Contains(t, s, v.Body.String())
		case Frame:
			s = v.String()
			require.True(t, strings.HasPrefix(s, v.FrameType().String()))
		case Packet:
			s = v.String()
			require.True(t, strings.HasPrefix(s, v.PacketType().String()))
		}
		require.NotContains(t, s, "\n")
	})
}
