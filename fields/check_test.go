package fields

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// encode is the encoding of v as the tag's type.
func encode[T any](t testing.TB, tag string, v T) (*Type, []byte) {
	t.Helper()
	parsed, err := ParseTag(tag)
	require.NoError(t, err)
	rt := reflect.TypeFor[T]()
	typ, err := TypeOf(rt, parsed)
	require.NoError(t, err)
	c, err := CodecOf(rt, typ)
	require.NoError(t, err)
	return typ, c.Append(nil, unsafe.Pointer(&v))
}

// checked is what Check says to v.
func checked[T any](tag string, v T) func(t *testing.T) error {
	return func(t *testing.T) error {
		typ, enc := encode(t, tag, v)
		return typ.Check(enc)
	}
}

type turn struct {
	H float32 `do:"as=int16,scale=10,mod=360"`
	P float32 `do:"as=int8,min=-90,max=90"`
}

func TestRule71Constraints(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, test := range map[string]struct {
		check func(*testing.T) error
		want  error
	}{
		"int at min":                   {checked[int16]("min=0,max=100", 0), nil},
		"int at max":                   {checked[int16]("min=0,max=100", 100), nil},
		"int below":                    {checked[int16]("min=0,max=100", -1), ErrRange},
		"int above":                    {checked[int16]("min=0,max=100", 101), ErrRange},
		"int one of":                   {checked[int8]("oneof=1|-3", -3), nil},
		"int none of":                  {checked[int8]("oneof=1|-3", 2), ErrOneOf},
		"uint64 top":                   {checked[uint64]("min=1", math.MaxUint64), nil},
		"uint64 below":                 {checked[uint64]("min=1", 0), ErrRange},
		"uint64 above int64, one of":   {checked[uint64]("oneof=18446744073709551615", math.MaxUint64), nil},
		"float at max":                 {checked[float32]("max=0.1", 0.1), nil},
		"float above":                  {checked[float64]("max=0.1", 0.11), ErrRange},
		"NaN without bounds":           {checked("", nan), nil},
		"NaN under min":                {checked("min=0", nan), ErrRange},
		"NaN under max":                {checked("max=0", nan), ErrRange},
		"infinity above":               {checked("max=9", inf), ErrRange},
		"infinity is not below min":    {checked("min=9", inf), nil},
		"rule 73 bytes, not runes":     {checked("max=4", "äöü"), ErrLength},
		"rule 73 high bytes are right": {checked("max=6", "äöü"), nil},
		"not UTF-8":                    {checked("", "a\xff"), ErrUTF8},
		"string too short":             {checked("min=2", "a"), ErrLength},
		"exact length":                 {checked("len=2", "ab"), nil},
		"exact length missed":          {checked("len=2", "abc"), ErrLength},
		"pattern":                      {checked("pattern='[a-z]{1,3}'", "abc"), nil},
		"pattern matches the whole":    {checked("pattern='[a-z]{1,3}'", "abcd"), ErrPattern},
		"pattern of alternatives":      {checked("pattern=a|b", "ab"), ErrPattern},
		"string one of":                {checked("oneof=red|blue", "blue"), nil},
		"string none of":               {checked("oneof=red|blue", "green"), ErrOneOf},
		"bytes too long":               {checked("max=1", []byte{1, 2}), ErrLength},
		"slice too long":               {checked("max=1", []int8{1, 2}), ErrLength},
		"element of a slice":           {checked("elem='max=1'", []int8{1, 2}), ErrRange},
		"pattern of elements":          {checked("pattern=a", []string{"a", "b"}), ErrPattern},
		"element of an array":          {checked("max=1", [2]int8{1, 2}), ErrRange},
		"element of an element":        {checked("elem='elem=''max=1'''", [][]int8{{1, 2}}), ErrRange},
		"map too large":                {checked("max=1", map[string]bool{"a": true, "b": true}), ErrLength},
		"map key":                      {checked("key='max=1'", map[string]bool{"ab": true}), ErrLength},
		"map value":                    {checked("elem='max=1'", map[string]int8{"a": 2}), ErrRange},
		"duration":                     {checked("max=1m", 61*time.Second), ErrRange},
		"time of year 3000":            {checked("", time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)), ErrRange},
		"rule 72 divided units":        {checked[float32]("as=int16,scale=10,max=5", 5.1), ErrRange},
		"rule 72 at the bound":         {checked[float32]("as=int16,scale=10,max=5", 5), nil},
		"packed does not fit":          {checked[float32]("as=int8", 128), ErrRange},
		"packed NaN":                   {checked("as=int32", nan), ErrRange},
		"packed NaN with mod":          {checked("as=int32,mod=7", inf), ErrRange},
		"packed infinity":              {checked("as=uint32", inf), ErrRange},
		"packed struct":                {checked("", turn{H: -0.04, P: 90}), nil},
		"packed struct member":         {checked("", turn{P: 91}), ErrRange},
		"packed struct does not fit":   {checked("", turn{P: 200}), ErrRange},
		"1 MiB at most":                {checked("", make([]byte, MaxValueLen)), ErrLength},
		"1 MiB in parts":               {checked("", make([][1000]int8, 1100)), ErrLength},
	} {
		t.Run(name, func(t *testing.T) { require.ErrorIs(t, test.check(t), test.want) })
	}
}

// Bytes that no encoder of ours writes.
func TestCheckForeignBytes(t *testing.T) {
	for _, test := range []struct {
		typ, bytes string
		want       error
	}{
		{"int8", "\xcf\x00\x00\x00\x00\x00\x00\x00\x05", nil},
		{"int8", "\xd3\xff\xff\xff\xff\xff\xff\xff\xff", nil},
		{"uint8", "\xcd\x01\x2c", ErrRange}, // msgpack/v5 reads 300 as 44
		{"uint8", "\xff", ErrRange},         // and -1 as 255
		{"uint64", "\xd0\xff", ErrRange},
		{"int64", "\xcf\x80\x00\x00\x00\x00\x00\x00\x00", ErrRange},
		{"int8", "\xc0", ErrType},
		{"int8", "\xc1", ErrSyntax},
		{"int8", "\xd4\x00\x00", ErrSyntax},
		{"int8", "\xca\x00\x00\x00\x00", ErrType},
		{"float32", "\xcb\x00\x00\x00\x00\x00\x00\x00\x00", ErrType},
		{"float64", "\xca\x00\x00\x00\x00", nil},
		{"float64", "\x01", ErrType},
		{"string", "\xdb\x00\x00\x00\x01a", nil},
		{"string", "\xdb\xff\xff\xff\xffa", ErrLength},
		{"string", "\xc4\x01a", ErrType},
		{"bytes", "\xa1a", ErrType},
		{"id", "\xc4\x01a", ErrType},
		{"[]int8", "\xdd\xff\xff\xff\xff", ErrShort}, // nothing is allocated for a claim
		{"[2]int8", "\x93\x01\x02\x03", ErrType},
		{"{X int8, Y int8}", "\x91\x01", ErrType},
		{"map int8", "\x82\xa1a\x01\xa1a\x02", ErrOrder},
		{"map int8", "\x82\xa1b\x01\xa1a\x02", ErrOrder},
		{"map int8", "\x82\xa1a\x01\xa1b\x02", nil},
		{"{A float32 as int8, B float32 as uint16/2}", "\xc4\x03\xff\x01\x00", nil},
		{"{A float32 as int8, B float32 as uint16/2}", "\xc4\x04\xff\x01\x00\x00", ErrType},
		{"{A float32 as int8, B float32 as uint16/2}", "\xc6\x00\x00\x00\x03\xff\x01\x00", nil},
		{"float32 as int16/10%360", "\xcd\x0e\x10", ErrRange}, // 3600 is 0
		{"float32 as int16/10%360", "\xcd\x0e\x0f", nil},
	} {
		typ, err := ParseType(test.typ)
		require.NoError(t, err)
		require.ErrorIs(t, typ.Check([]byte(test.bytes)), test.want, "%s %x", test.typ, test.bytes)
	}
}

// An error says where in the value it is.
func TestCheckNamesThePlace(t *testing.T) {
	typ, err := ParseType("{Pos {X int8, Y int8(..5)}, L [](max 3) int8}")
	require.NoError(t, err)
	require.EqualError(t, typ.Check([]byte("\x92\x92\x01\x09\x90")),
		"fields: check {Pos {X int8, Y int8(..5)}, L [](max 3) int8}: Pos: Y: value out of range")
	require.EqualError(t, typ.Check([]byte("\x92\x92\x01\x02\x92\x00\xa0")),
		"fields: check {Pos {X int8, Y int8(..5)}, L [](max 3) int8}: L: [1]: value of another type")
}

func TestSkipDepth(t *testing.T) {
	deep := strings.Repeat("\x91", MaxDepth)
	n, err := Skip([]byte(deep + "\x01\x02"))
	require.NoError(t, err)
	require.Equal(t, MaxDepth+1, n)
	_, err = Skip([]byte(deep + "\x90"))
	require.ErrorIs(t, err, ErrDepth)
	_, err = Skip([]byte(strings.Repeat("\x91", 8<<20)))
	require.ErrorIs(t, err, ErrDepth)
	_, err = Skip([]byte("\xdf\xff\xff\xff\xff"))
	require.ErrorIs(t, err, ErrShort)
	for _, c := range []string{"\xc1", "\xc7\x00\x00", "\xc9", "\xd4\x00\x00", "\xd8"} {
		_, err = Skip([]byte(c))
		require.ErrorIs(t, err, ErrSyntax)
	}
}

// What an encoder packs is within half a step, angles in [0, 360).
func TestPackedValues(t *testing.T) {
	for in, want := range map[float32]string{
		0: "0", 359.96: "0", -0.04: "0", -90: "270", 725.5: "5.5", 12.34: "12.3",
	} {
		typ, enc := encode(t, "as=int16,scale=10,mod=360", in)
		require.Equal(t, want, typ.Text(enc))
	}
	typ, enc := encode(t, "", turn{H: 90, P: -1})
	require.Equal(t, []byte{0xc4, 3, 0x84, 0x03, 0xff}, enc)
	require.Equal(t, "{H:90 P:-1}", typ.Text(enc))
}

// The zero time is 0, and comes back as the zero time.
func TestZeroTime(t *testing.T) {
	typ, enc := encode(t, "", time.Time{})
	require.Equal(t, []byte{0}, enc)
	c, err := CodecOf(timeType, typ)
	require.NoError(t, err)
	v := time.Now()
	_, err = c.Decode(unsafe.Pointer(&v), enc)
	require.NoError(t, err)
	require.True(t, v.IsZero())
}

type everything struct {
	A int16             `do:"min=0,max=100"`
	B string            `do:"max=24,pattern='[A-Za-z ]*'"`
	C [3]float32        `do:"min=-1,max=1"`
	D map[string]uint64 `do:"max=4"`
	E []string          `do:"oneof=red|blue"`
	F turn
	G testID
	H time.Time
	I []byte
}

func someEverything() everything {
	return everything{
		A: 15, B: "Flippy the Toon", C: [3]float32{0.5, -1, 1}, D: map[string]uint64{"gold": 1 << 40, "gems": 3},
		E: []string{"red", "blue", "red"}, F: turn{H: 45, P: -10}, G: testID{1, 15: 2},
		H: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), I: []byte{1, 2, 3},
	}
}

func TestCheckAndAppendDoNotAllocate(t *testing.T) {
	typ, enc := encode(t, "", someEverything())
	require.NoError(t, typ.Check(enc))
	require.Zero(t, testing.AllocsPerRun(200, func() { _ = typ.Check(enc) }))
	require.Zero(t, testing.AllocsPerRun(200, func() { _, _ = Skip(enc) }))

	m := MapOf(Pair{1, enc}, Pair{64, []byte{1}}, Pair{1024, []byte{2}})
	require.Zero(t, testing.AllocsPerRun(200, func() {
		for it := m.Iter(); it.Next(); {
			_ = it.Value()
		}
		_, _ = m.Get(64)
		_ = m.Valid()
	}))

	var b MapBuilder
	pos := [3]float32{1, 2, 3}
	posType, _ := encode(t, "", pos)
	c, err := CodecOf(reflect.TypeFor[[3]float32](), posType)
	require.NoError(t, err)
	p := unsafe.Pointer(&pos)
	require.Zero(t, testing.AllocsPerRun(200, func() {
		b.Reset()
		_ = b.Encode(7, c, p)
		_ = b.Map()
		_, _ = c.Decode(p, b.buf[headerRoom+1:])
	}))
}
