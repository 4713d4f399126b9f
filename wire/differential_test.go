package wire

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Anybody's msgpack library reads our bytes, and finds in them what the layout says. The expectation is made from
// the Go structs by reflection, apart from the code methods.
func TestMsgpackV5ReadsTheSame(t *testing.T) {
	each(t, func(t *rapid.T, s subject, v any) {
		var want any
		switch v := v.(type) {
		case Message:
			want = genericMessage(v)
		case Frame:
			want = append([]any{number(uint64(v.FrameType()))}, genericStruct(reflect.ValueOf(v).Elem())...)
		case Packet:
			want = append([]any{number(uint64(v.PacketType()))}, genericStruct(reflect.ValueOf(v).Elem())...)
		}
		got := generic(s.append(v))
		if _, ok := v.(*ClientEnters); ok {
			members := got.([]any)
			last := len(members) - 1
			members[last] = sequence(members[last].([]byte))
		}
		require.Equal(t, want, got)
	})
}

// generic is what msgpack/v5 makes of bytes that are exactly one value, numbers brought into one form.
func generic(b []byte) any {
	list := sequence(b)
	if len(list) != 1 {
		panic("not one value")
	}
	return list[0]
}

// sequence is what it makes of values that lie one after the other.
func sequence(b []byte) []any {
	r := bytes.NewReader(b)
	dec := msgpack.NewDecoder(r)
	dec.SetMapDecoder(func(d *msgpack.Decoder) (any, error) { return d.DecodeUntypedMap() })
	list := []any{}
	for r.Len() > 0 {
		v, err := dec.DecodeInterface()
		if err != nil {
			panic(err)
		}
		list = append(list, normal(v))
	}
	return list
}

// number is the form in which the tests compare integers: of both signs, if they fit.
func number(u uint64) any {
	if int64(u) >= 0 {
		return int64(u)
	}
	return u
}

// normal brings what msgpack/v5 returns into one form.
func normal(v any) any {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int()
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return number(r.Uint())
	}
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = normal(v[i])
		}
	case map[any]any:
		m := make(map[any]any, len(v))
		for k, x := range v {
			m[normal(k)] = normal(x)
		}
		return m
	case float32, float64:
		// NaN is not equal to itself; the bits are compared by the round trip.
		return "float"
	}
	return v
}

func genericMessage(m Message) any {
	to := []any{}
	for _, c := range m.To {
		to = append(to, genericValue(reflect.ValueOf(c)))
	}
	out := []any{
		number(uint64(m.Body.Type())), to, genericValue(reflect.ValueOf(m.From)),
		genericStruct(reflect.ValueOf(m.Body).Elem()),
	}
	if m.Trace != nil {
		out = append(out, append(m.Trace.ID[:], m.Trace.Span[:]...))
	}
	return out
}

// empty reports whether an optional member is not written.
func empty(v reflect.Value) bool { return v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0 }

func genericStruct(v reflect.Value) []any {
	out := []any{}
	for i := range v.NumField() {
		if i+1 == optional[v.Type().Name()] && empty(v.Field(i)) {
			continue
		}
		if b, ok := v.Field(i).Interface().([]byte); ok && rawMembers[v.Type().Field(i).Name] {
			out = append(out, generic(b))
			continue
		}
		out = append(out, genericValue(v.Field(i)))
	}
	return out
}

func genericValue(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case do.ID:
		if x.IsZero() {
			return nil
		}
		return x[:]
	case do.Location:
		if x.IsZero() {
			return nil
		}
		return genericStruct(v)
	case do.Version:
		if x.IsZero() {
			return nil
		}
		return genericStruct(v)
	case do.Channel:
		if x.IsZero() {
			return nil
		}
		return []any{number(uint64(x.Kind)), genericValue(reflect.ValueOf(x.ID)), number(uint64(x.Zone))}
	case fields.Map:
		return generic(x)
	case []byte:
		return x
	case Message:
		return genericMessage(x)
	}
	switch v.Kind() {
	case reflect.Struct:
		return genericStruct(v)
	case reflect.Slice:
		out := []any{}
		for i := range v.Len() {
			out = append(out, genericValue(v.Index(i)))
		}
		return out
	case reflect.Bool:
		return v.Bool()
	case reflect.String:
		return v.String()
	case reflect.Int64:
		return v.Int()
	}
	return number(v.Uint())
}

// What other libraries write in longer forms than ours is read, too.
func TestLongerFormsAreRead(t *testing.T) {
	long := []byte{
		0xdc, 0, 4, 0xd1, 0x07, 0xda, // array 16, int 16: GetField
		0xdd, 0, 0, 0, 1, 0x93, 0xcc, 2, 0xc6, 0, 0, 0, 16, // to: array 32, bin 32
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0xd0, 0, 0xc0,
		0x93, 0xcf, 0, 0, 0, 0, 0, 0, 0, 5, 0xc0, 0xcd, 0, 1,
	}
	m, err := DecodeMessage(long)
	require.NoError(t, err)
	require.Equal(t, Message{
		To:   []do.Channel{do.ObjectChannel(do.WellKnown(9))},
		Body: &GetField{Context: 5, Field: 1},
	}, m)
}
