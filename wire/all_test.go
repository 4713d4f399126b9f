package wire

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// subject is one kind of thing that travels, as the tests see it.
type subject struct {
	name   string
	random func(t *rapid.T) any
	append func(v any) []byte
	decode func(b []byte) (any, error)
	// body is where the array of members begins in b.
	body func(b []byte) int
}

// all is every message, frame and packet. Messages come whole, with a random envelope.
func all() []subject {
	var list []subject
	for _, s := range messages {
		list = append(list, subject{
			name: s.name,
			random: func(t *rapid.T) any {
				body := s.empty()
				fill(t, reflect.ValueOf(body).Elem(), 0)
				return randomEnvelope(t, body)
			},
			append: func(v any) []byte { m := v.(Message); return AppendMessage(nil, &m) },
			decode: func(b []byte) (any, error) { return DecodeMessage(b) },
			body:   bodyOffset,
		})
	}
	for _, s := range frames {
		list = append(list, subject{
			name: s.name,
			random: func(t *rapid.T) any {
				f := s.empty()
				fill(t, reflect.ValueOf(f).Elem(), 0)
				return f
			},
			append: func(v any) []byte { return AppendFrame(nil, v.(Frame)) },
			decode: decodeFrame,
			body:   func([]byte) int { return 0 },
		})
	}
	for _, s := range packets {
		list = append(list, subject{
			name: s.name,
			random: func(t *rapid.T) any {
				p := s.empty()
				fill(t, reflect.ValueOf(p).Elem(), 0)
				return p
			},
			append: func(v any) []byte { return AppendPacket(nil, v.(Packet)) },
			decode: func(b []byte) (any, error) { return DecodePacket(b) },
			body:   func([]byte) int { return 0 },
		})
	}
	return list
}

// decodeFrame decodes exactly one frame.
func decodeFrame(b []byte) (any, error) {
	f, n, err := NextFrame(b)
	if err == nil && n < len(b) {
		err = fmt.Errorf("%w: %w", ErrMalformed, fields.ErrTrailing)
	}
	return f, err
}

// bodyOffset is where the body of an encoded message begins.
func bodyOffset(b []byte) int {
	at := 1
	for range 3 {
		n, err := fields.Skip(b[at:])
		if err != nil {
			panic(err)
		}
		at += n
	}
	return at
}

func randomEnvelope(t *rapid.T, body Body) Message {
	m := Message{Body: body, From: randomChannel(t)}
	for range rapid.IntRange(1, 3).Draw(t, "recipients") {
		m.To = append(m.To, randomChannel(t))
	}
	if rapid.Bool().Draw(t, "traced") {
		m.Trace = &Trace{ID: [16]byte{1, 2, 3}, Span: [8]byte{4, 5, 6}}
	}
	return m
}

func randomID(t *rapid.T) do.ID {
	switch rapid.IntRange(0, 3).Draw(t, "kind of id") {
	case 0:
		return do.ID{}
	case 1:
		return do.WellKnown(rapid.Uint64Min(1).Draw(t, "well-known"))
	}
	return do.NewID(do.Partition(rapid.Uint16Min(1).Draw(t, "partition")), 1e12, rapid.Uint64().Draw(t, "random"))
}

func randomChannel(t *rapid.T) do.Channel {
	if rapid.IntRange(0, 4).Draw(t, "none") == 0 {
		return do.Channel{}
	}
	return do.Channel{
		Kind: do.Kind(rapid.Uint32Range(1, uint32(do.KindAllClients)).Draw(t, "kind")),
		ID:   randomID(t),
		Zone: do.Zone(rapid.Uint32().Draw(t, "zone")),
	}
}

func randomValue(t *rapid.T, depth int) []byte {
	switch rapid.IntRange(0, 9).Draw(t, "kind of value") {
	case 0:
		return fields.AppendBool(nil, rapid.Bool().Draw(t, "bool"))
	case 1:
		return fields.AppendUint(nil, rapid.Uint64().Draw(t, "uint"))
	case 2:
		return fields.AppendFloat32(nil, rapid.Float32().Draw(t, "float32"))
	case 3:
		return fields.AppendFloat64(nil, rapid.Float64().Draw(t, "float64"))
	case 4:
		return fields.AppendString(nil, rapid.String().Draw(t, "string"))
	case 5:
		return fields.AppendBin(nil, rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
	case 6, 7:
		if depth < 3 {
			n := rapid.IntRange(0, 3).Draw(t, "elements")
			b := fields.AppendArrayHeader(nil, n)
			for range n {
				b = append(b, randomValue(t, depth+1)...)
			}
			return b
		}
	}
	return fields.AppendInt(nil, rapid.Int64().Draw(t, "int"))
}

func randomMap(t *rapid.T) fields.Map {
	var pairs []fields.Pair
	for range rapid.IntRange(0, 4).Draw(t, "fields") {
		pairs = append(pairs, fields.Pair{Number: fields.Number(rapid.Uint32Max(uint32(fields.MaxNumber)).Draw(t, "number")), Value: randomValue(t, 0)})
	}
	return fields.MapOf(pairs...)
}

// rawMembers are the []byte members that hold an encoded value in place, not a bin.
var rawMembers = map[string]bool{"Args": true, "Result": true, "Value": true, "Grid": true}

// fill gives every member of a struct a random value that it may have.
func fill(t *rapid.T, v reflect.Value, depth int) {
	switch p := v.Addr().Interface().(type) {
	case *do.ID:
		*p = randomID(t)
	case *do.Channel:
		*p = randomChannel(t)
	case *do.Location:
		if id := randomID(t); !id.IsZero() {
			*p = do.Location{Parent: id, Zone: do.Zone(rapid.Uint32().Draw(t, "zone"))}
		}
	case *do.Range:
		*p = do.Range{Lo: randomChannel(t), Hi: randomChannel(t)}
	case *fields.Map:
		*p = randomMap(t)
	case *fields.Number:
		*p = fields.Number(rapid.Uint32Max(uint32(fields.MaxNumber)).Draw(t, "field"))
	case *Ref:
		*p = AliasRef(rapid.Uint32Min(1).Draw(t, "alias"))
		if rapid.Bool().Draw(t, "uberdog") {
			*p = UberDOGRef(rapid.Uint64Range(1, 1<<63-1).Draw(t, "number"))
		}
	case *SessionState:
		*p = SessionState(rapid.Uint8Max(uint8(StateEstablished)).Draw(t, "state"))
	case *LeaveReason:
		*p = LeaveReason(rapid.Uint8Range(uint8(LeaveMoved), uint8(LeaveDeleted)).Draw(t, "reason"))
	case *OpKind:
		*p = OpKind(rapid.Uint8Range(uint8(OpSet), uint8(OpReply)).Draw(t, "op"))
	case *Message:
		*p = randomMessage(t, depth)
	case *[]byte:
		*p = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes")
		if *p == nil {
			*p = []byte{}
		}
	default:
		fillKind(t, v, depth)
	}
}

// fillKind fills what has no rule of its own.
func fillKind(t *rapid.T, v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if rawMembers[v.Type().Field(i).Name] && v.Field(i).Type() == reflect.TypeFor[[]byte]() {
				v.Field(i).SetBytes(randomValue(t, 0))
				continue
			}
			fill(t, v.Field(i), depth)
		}
	case reflect.Slice:
		if n := rapid.IntRange(0, 3).Draw(t, "elements"); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(t, v.Index(i), depth)
			}
		}
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.String:
		v.SetString(rapid.String().Draw(t, "string"))
	case reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "int"))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(rapid.Uint64Max(1<<v.Type().Bits()-1).Draw(t, "uint"))
	default:
		panic("a member of kind " + v.Type().String())
	}
}

// randomMessage is a message inside of another one.
func randomMessage(t *rapid.T, depth int) Message {
	for {
		body := messages[rapid.IntRange(0, len(messages)-1).Draw(t, "body")].empty()
		switch body.(type) {
		case *AddPostRemove, *SessionPostRemove:
			continue
		}
		fill(t, reflect.ValueOf(body).Elem(), depth+1)
		return randomEnvelope(t, body)
	}
}

// each runs check on every subject with random values.
func each(t *testing.T, check func(t *rapid.T, s subject, v any)) {
	for _, s := range all() {
		t.Run(s.name, rapid.MakeCheck(func(t *rapid.T) { check(t, s, s.random(t)) }))
	}
}

func TestNumbersAreAscendingAndNamesAreThoseOfTheStructs(t *testing.T) {
	last := 0
	for _, s := range messages {
		require.Greater(t, int(s.number), last)
		last = int(s.number)
		require.Equal(t, s.name, reflect.TypeOf(s.empty()).Elem().Name())
		require.Equal(t, s.name, Type(s.number).String())
		require.Equal(t, Type(s.number), s.empty().Type())
	}
	last = 0
	for _, s := range frames {
		require.Greater(t, int(s.number), last)
		last = int(s.number)
		require.Equal(t, s.name, reflect.TypeOf(s.empty()).Elem().Name())
		require.Equal(t, FrameType(s.number), s.empty().FrameType())
		require.Equal(t, s.from == fromClient, FrameType(s.number).FromClient())
	}
	for i, s := range packets {
		require.Equal(t, i+1, int(s.number))
		require.Equal(t, s.name, reflect.TypeOf(s.empty()).Elem().Name())
		require.Equal(t, PacketType(s.number), s.empty().PacketType())
	}
	require.Equal(t, "message 4999", Type(4999).String())
	require.Equal(t, "frame 9", FrameType(9).String())
	require.Equal(t, "packet 10", PacketType(10).String())
}
