package fields

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"
)

// testID is a named [16]byte, as do.ID is.
type testID [16]byte

// goType returns a Go type of which TypeOf would make the shape of t; constraints are not in it.
func goType(t *Type) reflect.Type {
	switch t.kind {
	case KindPacked:
		return goScalar(t.base)
	case KindArray:
		return reflect.ArrayOf(t.n, goType(t.elem))
	case KindSlice:
		return reflect.SliceOf(goType(t.elem))
	case KindMap:
		return reflect.MapOf(reflect.TypeFor[string](), goType(t.elem))
	case KindStruct:
		var fs []reflect.StructField
		for _, m := range t.members {
			fs = append(fs, reflect.StructField{Name: m.Name, Type: goType(m.Type)})
		}
		return reflect.StructOf(fs)
	}
	return goScalar(t.kind)
}

func goScalar(k Kind) reflect.Type {
	return map[Kind]reflect.Type{
		KindBool: reflect.TypeFor[bool](),
		KindInt8: reflect.TypeFor[int8](), KindInt16: reflect.TypeFor[int16](),
		KindInt32: reflect.TypeFor[int32](), KindInt64: reflect.TypeFor[int64](),
		KindUint8: reflect.TypeFor[uint8](), KindUint16: reflect.TypeFor[uint16](),
		KindUint32: reflect.TypeFor[uint32](), KindUint64: reflect.TypeFor[uint64](),
		KindFloat32: reflect.TypeFor[float32](), KindFloat64: reflect.TypeFor[float64](),
		KindString: reflect.TypeFor[string](), KindBytes: reflect.TypeFor[[]byte](),
		KindTime: reflect.TypeFor[time.Time](), KindDuration: reflect.TypeFor[time.Duration](),
		KindID: reflect.TypeFor[testID](),
	}[k]
}

// forms is how many forms of types drawForm has; those from leafForms on have parts.
const (
	forms     = 20
	leafForms = 16
)

// drawTypeText draws the text of a type with its constraints.
func drawTypeText(t *rapid.T, depth int) string {
	n := forms - 1
	if depth >= 3 {
		n = leafForms - 1
	}
	return drawForm(t, rapid.IntRange(0, n).Draw(t, "form"), depth)
}

// drawForm draws the text of a type of one form.
func drawForm(t *rapid.T, form, depth int) string {
	switch form {
	case 0:
		return "bool"
	case 1:
		lo := rapid.Int64().Draw(t, "lo")
		return fmt.Sprintf("int64(%d..%d)", lo, rapid.Int64Min(lo).Draw(t, "hi"))
	case 2:
		return fmt.Sprintf("int16(%d..)", rapid.Int16().Draw(t, "lo"))
	case 3:
		return "uint32(oneof 0|7|4000000000)"
	case 4:
		return fmt.Sprintf("uint64(..%d)", rapid.Uint64().Draw(t, "hi"))
	case 5:
		return fmt.Sprintf("float32(%v..)", rapid.Float32Range(-1e6, 1e6).Draw(t, "lo"))
	case 6:
		return fmt.Sprintf("float64(..%v)", rapid.Float64Range(-1e6, 1e6).Draw(t, "hi"))
	case 7:
		lo := rapid.IntRange(0, 40).Draw(t, "lo")
		return fmt.Sprintf("string(min %d, max %d)", lo, lo+rapid.IntRange(0, 300).Draw(t, "more"))
	case 8:
		return `string(oneof "a b"|"c,\"d"|"")`
	case 9:
		return fmt.Sprintf("bytes(max %d)", rapid.IntRange(0, 70000).Draw(t, "hi"))
	case 10:
		return fmt.Sprintf("float32 as int16/%d%%360", rapid.IntRange(1, 90).Draw(t, "scale"))
	case 11:
		return "float64(-10..10) as int32/1000"
	case 12:
		return rapid.SampledFrom([]string{"int8", "int32", "uint8(1..9)", "uint16", "float32", "float64"}).Draw(t, "number")
	case 13:
		return rapid.SampledFrom([]string{"time", "duration", "duration(-1s..1h)"}).Draw(t, "when")
	case 14, 15:
		return rapid.SampledFrom([]string{"id", "string", "bytes"}).Draw(t, "text")
	case 16:
		return fmt.Sprintf("[%d]%s", rapid.IntRange(0, 4).Draw(t, "n"), drawTypeText(t, depth+1))
	case 17:
		elem := drawTypeText(t, depth+1)
		if strings.HasPrefix(elem, "uint8") {
			elem = "int8"
		}
		return fmt.Sprintf("[](max %d) %s", rapid.IntRange(0, 20).Draw(t, "max"), elem)
	case 18:
		return fmt.Sprintf("map(max %d, key string(max 8)) %s", rapid.IntRange(0, 20).Draw(t, "max"), drawTypeText(t, depth+1))
	default:
		packed := rapid.Bool().Draw(t, "packed")
		var ms []string
		for i := range rapid.IntRange(0, 4).Draw(t, "n") {
			text := "float32 as uint8/2"
			if !packed {
				text = drawTypeText(t, depth+1)
			}
			ms = append(ms, fmt.Sprintf("M%d %s", i, text))
		}
		return "{" + strings.Join(ms, ", ") + "}"
	}
}

// eachForm checks a property with types of every form at the top.
func eachForm(t *testing.T, property func(t *rapid.T, form int)) {
	for form := range forms {
		t.Run(fmt.Sprint(form), rapid.MakeCheck(func(t *rapid.T) { property(t, form) }))
	}
}

// drawType draws a type of the form.
func drawType(t *rapid.T, form int) *Type {
	text := drawForm(t, form, 0)
	typ, err := ParseType(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return typ
}

// drawValue sets v, of goType(typ), to something that satisfies typ. Packed floats are multiples of 1/scale.
func drawValue(t *rapid.T, typ *Type, v reflect.Value) {
	switch typ.kind {
	case KindBool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case KindUint64:
		v.SetUint(rapid.Uint64Range(typ.ulo, typ.uhi).Draw(t, "uint64"))
	case KindFloat32, KindFloat64:
		v.SetFloat(drawFloat(t, typ))
	case KindString:
		v.SetString(drawString(t, typ))
	case KindBytes:
		hi := min(typ.maxLen, typ.minLen+50)
		if b := rapid.SliceOfN(rapid.Byte(), typ.minLen, hi).Draw(t, "bytes"); len(b) > 0 {
			v.SetBytes(b)
		}
	case KindTime:
		if n := rapid.Int64Range(-9e18, 9e18).Draw(t, "time"); n != 0 {
			v.Set(reflect.ValueOf(time.Unix(0, n).UTC()))
		}
	case KindID:
		for i := range idLen {
			v.Index(i).SetUint(uint64(rapid.Byte().Draw(t, "id")))
		}
	case KindArray:
		for i := range typ.n {
			drawValue(t, typ.elem, v.Index(i))
		}
	case KindSlice:
		if n := rapid.IntRange(typ.minLen, min(typ.maxLen, typ.minLen+5)).Draw(t, "n"); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				drawValue(t, typ.elem, v.Index(i))
			}
		}
	case KindMap:
		for i := range rapid.IntRange(0, min(typ.maxLen, 5)).Draw(t, "n") {
			if i == 0 {
				v.Set(reflect.MakeMap(v.Type()))
			}
			elem := reflect.New(v.Type().Elem()).Elem()
			drawValue(t, typ.elem, elem)
			v.SetMapIndex(reflect.ValueOf(drawString(t, typ.key)), elem)
		}
	case KindStruct:
		for i, m := range typ.members {
			drawValue(t, m.Type, v.Field(i))
		}
	case KindPacked:
		n := rapid.Int64Range(typ.lo, typ.hi).Draw(t, "packed")
		typ.unpackAt(v.Addr().UnsafePointer(), n)
	default:
		drawInt(t, typ, v)
	}
}

func drawInt(t *rapid.T, typ *Type, v reflect.Value) {
	n := rapid.Int64Range(typ.lo, typ.hi).Draw(t, "int")
	if typ.oneInt != nil {
		n = rapid.SampledFrom(typ.oneInt).Draw(t, "one")
	}
	if v.CanUint() {
		v.SetUint(uint64(n))
		return
	}
	v.SetInt(n)
}

func drawFloat(t *rapid.T, typ *Type) float64 {
	lo, hi := -math.MaxFloat32, math.MaxFloat32
	if typ.hasMin {
		lo = typ.flo
	}
	if typ.hasMax {
		hi = typ.fhi
	}
	if typ.kind == KindFloat32 {
		return float64(rapid.Float32Range(float32(lo), float32(hi)).Draw(t, "float32"))
	}
	return rapid.Float64Range(lo, hi).Draw(t, "float64")
}

func drawString(t *rapid.T, typ *Type) string {
	if typ.oneStr != nil {
		return rapid.SampledFrom(typ.oneStr).Draw(t, "one")
	}
	// ASCII of the least length and a little more; others only where there is room.
	s := rapid.StringN(-1, -1, max(0, min(typ.maxLen, typ.minLen+20)-typ.minLen)).Draw(t, "string")
	return s + strings.Repeat("x", typ.minLen)
}

var plainType = reflect.TypeFor[plain]()

// pointer is unsafe.Pointer for tests.
func pointer[T any](v *T) unsafe.Pointer { return unsafe.Pointer(v) }

// newValue returns a pointer to a new zero value.
func newValue(rt reflect.Type) unsafe.Pointer { return reflect.New(rt).UnsafePointer() }
