package wire

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

func TestRoundTrip(t *testing.T) {
	each(t, func(t *rapid.T, s subject, v any) {
		b := s.append(v)
		got, err := s.decode(b)
		require.NoError(t, err)
		require.Equal(t, v, got)
		require.Equal(t, b, s.append(got))
	})
}

func TestEveryPrefixIsAnError(t *testing.T) {
	tried := map[string]int{}
	each(t, func(t *rapid.T, s subject, v any) {
		// All prefixes of a hundred values would take longer than all other tests together.
		if tried[s.name]++; tried[s.name] > 10 {
			return
		}
		b := s.append(v)
		want := ErrMalformed
		if _, ok := v.(Frame); ok {
			want = fields.ErrShort // a stream waits for more
		}
		for i := range b {
			if _, err := s.decode(b[:i:i]); !errors.Is(err, want) {
				t.Fatalf("%d of %d bytes: %v", i, len(b), err)
			}
		}
	})
}

func TestBytesBehindTheEndAreAnError(t *testing.T) {
	each(t, func(t *rapid.T, s subject, v any) {
		_, err := s.decode(append(s.append(v), 0xc0))
		require.ErrorIs(t, err, ErrMalformed)
		require.ErrorIs(t, err, fields.ErrTrailing)
	})
}

// untraced is v without what would stand behind its body.
func untraced(v any) any {
	if m, ok := v.(Message); ok {
		m.Trace = nil
		return m
	}
	return v
}

func TestAMemberTooManyIsAnError(t *testing.T) {
	each(t, func(t *rapid.T, s subject, v any) {
		b := append(s.append(untraced(v)), 0xc0)
		b[s.body(b)]++
		_, err := s.decode(b)
		require.ErrorIs(t, err, ErrMalformed)
		require.NotErrorIs(t, err, fields.ErrShort)
		_, err = s.decode(b[:len(b)-1])
		require.Error(t, err, "only the header claims it")
	})
}

func TestAMemberTooFewIsAnError(t *testing.T) {
	each(t, func(t *rapid.T, s subject, v any) {
		b := s.append(untraced(v))
		at := s.body(b)
		n := int(b[at] & maxMembers)
		last := n
		if _, ok := v.(Frame); ok {
			last-- // the first is the frame's number
		}
		if last > 0 && optional[s.name] == last {
			return // the last one may be missing: TestOptionalMembers
		}
		if n == 0 {
			return
		}
		end := at + 1
		for range n - 1 {
			size, err := fields.Skip(b[end:])
			require.NoError(t, err)
			end += size
		}
		b[at]--
		_, err := s.decode(b[:end:end])
		require.Error(t, err)
		require.NotErrorIs(t, err, fields.ErrShort, "it is whole, only wrong")
	})
}

// optional is how many members there are with the one that may be missing.
var optional = map[string]int{"DBFind": 7, "DBList": 5, "DeleteChildren": 3, "ClientHello": 5}

// A member that was added later is not written while it is zero, so that who does not know it understands the rest, and may
// be missing.
func TestOptionalMembers(t *testing.T) {
	for _, c := range []struct{ without, with Body }{
		{&DBFind{Class: 3, Value: []byte{1}}, &DBFind{Class: 3, Value: []byte{1}, Order: []DBOrder{{Field: 5, Desc: true}}}},
		{&DeleteChildren{Context: 3}, &DeleteChildren{Context: 3, Unloaded: true}},
		{&DBList{Class: 3}, &DBList{Class: 3, Order: []DBOrder{{Field: 5, Value: []byte{7}}}}},
	} {
		n := optional[c.with.Type().String()]
		for i, body := range []Body{c.without, c.with} {
			b := AppendMessage(nil, &Message{To: []do.Channel{do.AllClients()}, Body: body})
			require.Equal(t, n-1+i, int(b[bodyOffset(b)]&maxMembers))
			m, err := DecodeMessage(b)
			require.NoError(t, err)
			require.Equal(t, body, m.Body)
		}
	}
	for i, f := range []*ClientHello{{Schema: []byte{1}}, {Schema: []byte{1}, Enters: true}} {
		b := AppendFrame(nil, f)
		require.Equal(t, optional["ClientHello"]+i, int(b[0]&maxMembers), "with the number")
		got, _, err := NextFrame(b)
		require.NoError(t, err)
		require.Equal(t, f, got)
	}
}

// Decoded values are parts of the input: a change there shows. So the input must not be reused.
func TestValuesAliasTheInput(t *testing.T) {
	b := AppendMessage(nil, &Message{To: []do.Channel{do.AllClients()}, Body: &Update{Fields: fields.MapOf(fields.Pair{Number: 1, Value: []byte{7}})}})
	m, err := DecodeMessage(b)
	require.NoError(t, err)
	b[bytes.IndexByte(b, 7)] = 8
	v, _ := m.Body.(*Update).Fields.Get(1)
	require.Equal(t, []byte{8}, v)
}

func TestRule1RecipientsAre1To255(t *testing.T) {
	m := Message{Body: &Tick{}}
	_, err := DecodeMessage(AppendMessage(nil, &m))
	require.ErrorIs(t, err, fields.ErrLength)
	m.To = make([]do.Channel, MaxTo)
	_, err = DecodeMessage(AppendMessage(nil, &m))
	require.NoError(t, err)
	m.To = make([]do.Channel, MaxTo+1)
	_, err = DecodeMessage(AppendMessage(nil, &m))
	require.ErrorIs(t, err, fields.ErrLength)
}

func TestAMessageInAMessageHasNoThird(t *testing.T) {
	to := []do.Channel{do.Control(do.RoleDirector)}
	inner := Message{To: to, Body: &Tick{}}
	middle := Message{To: to, Body: &AddPostRemove{Message: inner}}
	_, err := DecodeMessage(AppendMessage(nil, &middle))
	require.NoError(t, err)
	_, err = DecodePacket(AppendPacket(nil, &BusBatch{Messages: []Message{middle, middle}}))
	require.NoError(t, err, "in a batch each is counted from itself")

	tower := append([]byte{0x94, 0xcd, 0x04, 0x56, 0x91, 0xc0, 0xc0, 0x92, 0x00}, AppendMessage(nil, &middle)...)
	require.Equal(t, TypeSessionPostRemove, Type(0x456))
	_, err = DecodeMessage(tower)
	require.ErrorIs(t, err, fields.ErrDepth)
}

func TestUnknownNumbers(t *testing.T) {
	_, err := DecodeMessage([]byte{0x94, 0xcd, 0x13, 0x87, 0x91, 0xc0, 0xc0, 0x90})
	require.ErrorIs(t, err, ErrUnknown)
	_, _, err = NextFrame([]byte{0x91, 9})
	require.ErrorIs(t, err, ErrUnknown)
	_, err = DecodePacket([]byte{0x91, 0xcf, 1, 0, 0, 0, 0, 0, 0, 1})
	require.ErrorIs(t, err, ErrUnknown, "a large number is not cut to a small one")
	_, _, err = NextFrame([]byte{0x91, 0xce, 0, 1, 0, 3})
	require.ErrorIs(t, err, ErrMalformed, "a large number is not cut to a small one")
}

func TestNumbersOutOfRange(t *testing.T) {
	for name, b := range map[string][]byte{
		"reason above 16 bits":    {0x93, 4, 0xce, 0, 1, 0, 0, 0xa0},
		"alias above 32 bits":     {0x93, 132, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0, 1},
		"negative alias":          {0x93, 0xcc, 132, 0xff, 1},
		"leave for no reason":     {0x93, 0xcc, 132, 1, 0},
		"leave for reason 4":      {0x93, 0xcc, 132, 1, 4},
		"field above the last":    {0x94, 120, 1, 0xcd, 0x40, 0, 1},
		"ref of nothing":          {0x94, 121, 1, 0, 0x80},
		"ref above all aliases":   {0x94, 121, 1, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0, 0x80},
		"fields not ascending":    {0x94, 121, 1, 1, 0x82, 2, 1, 1, 1},
		"field twice":             {0x94, 121, 1, 1, 0x82, 2, 1, 2, 1},
		"text that is not UTF-8":  {0x93, 4, 1, 0xa1, 0xff},
		"an extension as value":   {0x94, 120, 1, 1, 0xd4, 0, 0},
		"a zone without a parent": {0x93, 0xcc, 140, 1, 0x92, 0xc0, 5},
		"an id of 15 bytes":       append([]byte{0x93, 14, 1, 0xc4, 15}, make([]byte, 15)...),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := NextFrame(b)
			require.ErrorIs(t, err, ErrMalformed)
			require.NotErrorIs(t, err, fields.ErrShort)
		})
	}
	channel := func(kind byte) []byte {
		return []byte{0x94, 0xcd, 0x15, 0x18, 0x91, 0x93, kind, 0xc0, 0, 0xc0, 0x91, 0}
	}
	_, err := DecodeMessage(channel(byte(do.KindAllClients)))
	require.NoError(t, err)
	for _, kind := range []byte{0, byte(do.KindAllClients) + 1} {
		_, err = DecodeMessage(channel(kind))
		require.ErrorIs(t, err, fields.ErrRange)
	}
}

// What begins no frame is refused at once, however little of it is there.
func TestGarbageIsRefusedAtItsFirstByte(t *testing.T) {
	for _, b := range []byte{0x00, 0x82, 0x90, 0xa1, 0xc0, 0xc1, 0xdc, 0xdd, 'G'} {
		_, _, err := NextFrame([]byte{b})
		require.ErrorIs(t, err, ErrMalformed, "%#x", b)
	}
	_, _, err := NextFrame([]byte{0x92, 0xa1})
	require.ErrorIs(t, err, ErrMalformed, "a number that is text")
}

// bytesOf is how many bytes f allocates.
func bytesOf(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A claim of a size that the bytes do not bear out costs nothing.
func TestClaimedSizesAllocateNothing(t *testing.T) {
	huge := []byte{0xdd, 0xff, 0xff, 0xff, 0xff}
	head := []byte{0x94, 0xcd, 0x07, 0xda}
	require.Equal(t, TypeGetField, Type(0x7da))
	zones := []byte{0x94, 0xcd, 0x08, 0x36, 0x91, 0xc0, 0xc0, 0x93, 0, 0xc0}
	require.Equal(t, TypeGetZonesObjects, Type(0x836))
	for name, b := range map[string][]byte{
		"message":    huge,
		"recipients": append(head, huge...),
		"list":       append(zones, huge...),
		"text":       append([]byte{0x93, 4, 1}, 0xdb, 0xff, 0xff, 0xff, 0xff),
		"bytes":      append([]byte{0x92, 15}, 0xc6, 0xff, 0xff, 0xff, 0xff),
		"map":        append([]byte{0x94, 121, 1, 1}, 0xdf, 0xff, 0xff, 0xff, 0xff),
		"value":      append([]byte{0x94, 120, 1, 1}, huge...),
	} {
		t.Run(name, func(t *testing.T) {
			n := bytesOf(func() {
				for _, try := range []func() error{
					func() error { _, err := DecodeMessage(b); return err },
					func() error { _, err := DecodePacket(b); return err },
					func() error { _, _, err := NextFrame(b); return err },
				} {
					if try() == nil {
						panic("decoded")
					}
				}
			})
			require.Less(t, n, uint64(64<<10))
		})
	}
}

func TestDeepNestingIsRefused(t *testing.T) {
	deep := bytes.Repeat([]byte{0x91}, 8<<20)
	_, _, err := NextFrame(append([]byte{0x94, 120, 1, 1}, deep...))
	require.ErrorIs(t, err, ErrMalformed)
	_, err = DecodeMessage(deep)
	require.ErrorIs(t, err, ErrMalformed)
	_, err = DecodeMessage(append([]byte{0x94, 0xcd, 0x07, 0xda, 0x91, 0xc0, 0xc0, 0x93, 0, 0xc0}, deep...))
	require.ErrorIs(t, err, ErrMalformed)
}

// The densest list of each kind: what is allocated stays a small multiple of the input.
func TestAllocationIsBoundedByTheInput(t *testing.T) {
	const n, most = 10_000, 40
	dense := []any{
		Message{To: []do.Channel{{}}, Body: &GetZonesObjects{Zones: make([]do.Zone, n)}},
		Message{To: []do.Channel{{}}, Body: &ZonesObjects{List: make([]Listed, n), Entries: make([]Entry, n)}},
		Message{To: []do.Channel{{}}, Body: &AskEntries{DOs: make([]do.ID, n)}},
		Message{To: []do.Channel{{}}, Body: &AddChannels{Channels: make([]do.Channel, n)}},
		Message{To: []do.Channel{{}}, Body: &AddRanges{Ranges: make([]do.Range, n)}},
		Message{To: []do.Channel{{}}, Body: &Digest{Parts: make([]DigestPart, n)}},
		Message{To: []do.Channel{{}}, Body: &DBFound{Objects: make([]DBObject, n)}},
	}
	ops := make([]Op, n)
	for i := range ops {
		ops[i].Kind = OpSet
	}
	dense = append(dense, Message{To: []do.Channel{{}}, Body: &Bundle{Ops: ops}}, &ClientEnters{Entered: make([]Entered, n)})
	for _, v := range dense {
		b, decode := denseBytes(v)
		got := bytesOf(func() {
			if err := decode(b); err != nil {
				panic(err)
			}
		})
		require.Less(t, got, uint64(most*len(b)), "%.100s", v)
	}
}

// denseBytes is a message or frame as bytes, and what decodes it.
func denseBytes(v any) ([]byte, func([]byte) error) {
	if f, ok := v.(Frame); ok {
		return AppendFrame(nil, f), func(b []byte) error { _, _, err := NextFrame(b); return err }
	}
	m := v.(Message)
	return AppendMessage(nil, &m), func(b []byte) error { _, err := DecodeMessage(b); return err }
}

// A count may be as large as the bytes that follow it; elements that need more than one byte each still cost nothing.
func TestACountOfElementsThatCannotFitAllocatesNothing(t *testing.T) {
	const n = 100_000
	head := []byte{0x94, 0xcd, 0x13, 0x8d, 0x91, 0xc0, 0xc0, 0x95, 0, 0xc0, 0xc2, 0x90, 0xdd, 0, n >> 16, n >> 8 & 255, n & 255}
	require.Equal(t, TypeZonesObjects, Type(0x138d))
	b := append(head, bytes.Repeat([]byte{0xc0}, n)...)
	require.Less(t, bytesOf(func() {
		if _, err := DecodeMessage(b); !errors.Is(err, fields.ErrShort) {
			panic(err)
		}
	}), uint64(64<<10))
}

func TestLongTextIsCutAtACharacter(t *testing.T) {
	f := &ClientEject{Reason: ReasonKicked, Text: strings.Repeat("\u00e9", maxText)}
	got, _, err := NextFrame(AppendFrame(nil, f))
	require.NoError(t, err)
	text := got.(*ClientEject).Text
	require.LessOrEqual(t, len(text), maxText)
	require.True(t, strings.HasPrefix(f.Text, text))
	require.Equal(t, "a", cut("a\u00e9", 2))
}

func TestErrorsNameWhatIsWrong(t *testing.T) {
	require.NotErrorIs(t, malformed("x", fields.ErrShort), fields.ErrShort, "no reason to wait for more")
	_, _, err := NextFrame([]byte{0x93, 4, 1, 2})
	require.EqualError(t, err, "wire: decode ClientEject: malformed: text: value of another type")
	_, err = DecodeMessage([]byte{0x94, 0xcd, 0x08, 0x36, 0x91, 0xc0, 0xc0, 0x93, 0, 0xc0, 0x92, 0, 0xa0})
	require.EqualError(t, err, "wire: decode GetZonesObjects: malformed: zones 1: zone: value of another type")
	require.True(t, errors.Is(err, fields.ErrType))
}

func TestRefsAreAliasesOrUberDOGs(t *testing.T) {
	alias, ok := AliasRef(7).Alias()
	require.True(t, ok)
	require.Equal(t, uint32(7), alias)
	_, ok = AliasRef(7).UberDOG()
	require.False(t, ok)
	id, ok := UberDOGRef(4670).UberDOG()
	require.True(t, ok)
	require.Equal(t, do.WellKnown(4670), id)
	_, ok = UberDOGRef(4670).Alias()
	require.False(t, ok)
	_, ok = Ref(1 << 32).Alias()
	require.False(t, ok)
}
