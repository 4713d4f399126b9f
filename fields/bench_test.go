package fields

import (
	"reflect"
	"testing"
	"unsafe"
)

func benchmarkCheck[T any](b *testing.B, tag string, v T) {
	typ, enc := encode(b, tag, v)
	b.SetBytes(int64(len(enc)))
	b.ReportAllocs()
	for b.Loop() {
		if err := typ.Check(enc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckInt16(b *testing.B) { benchmarkCheck[int16](b, "min=0,max=100", 15) }

func BenchmarkCheckFloats3(b *testing.B) {
	benchmarkCheck(b, "min=-1000,max=1000", [3]float32{1, 2, 3})
}

func BenchmarkCheckPackedStruct(b *testing.B) { benchmarkCheck(b, "", turn{H: 90, P: 5}) }

func BenchmarkCheckString(b *testing.B) {
	benchmarkCheck(b, "max=200", "hello, is anybody in the tavern?")
}

func BenchmarkCheckPattern(b *testing.B) {
	benchmarkCheck(b, "max=24,pattern='[A-Za-z]{1,24}'", "Flippy")
}

func BenchmarkCheckEverything(b *testing.B) { benchmarkCheck(b, "", someEverything()) }

func benchmarkAppend[T any](b *testing.B, tag string, v T) {
	typ, enc := encode(b, tag, v)
	c, err := CodecOf(reflect.TypeFor[T](), typ)
	if err != nil {
		b.Fatal(err)
	}
	p, dst := unsafe.Pointer(&v), make([]byte, 0, len(enc))
	b.SetBytes(int64(len(enc)))
	b.ReportAllocs()
	for b.Loop() {
		dst = c.Append(dst[:0], p)
	}
}

func BenchmarkAppendInt16(b *testing.B) { benchmarkAppend[int16](b, "", 15) }

func BenchmarkAppendFloats3(b *testing.B) { benchmarkAppend(b, "", [3]float32{1, 2, 3}) }

func BenchmarkAppendPackedStruct(b *testing.B) { benchmarkAppend(b, "", turn{H: 90, P: 5}) }

func BenchmarkAppendEverything(b *testing.B) { benchmarkAppend(b, "", someEverything()) }

func BenchmarkMapGet(b *testing.B) {
	m := MapOf(Pair{1, []byte{1}}, Pair{2, AppendString(nil, "Flippy")}, Pair{3, []byte{3}}, Pair{64, []byte{4}})
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := m.Get(64); !ok {
			b.Fatal("not there")
		}
	}
}
