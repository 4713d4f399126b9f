package dc

import (
	"fmt"
	"math"
	"slices"

	"github.com/otpd/otpd/do"
)

// PandaHash is the 32-bit number that Panda3D's DCFile.get_hash gives for the same files in the same order, with
// Panda3D's own settings (dc-multiple-inheritance, dc-virtual-inheritance and dc-sort-inheritance-by-file on).
// The error says what Panda3D would not have read.
//
// It covers names, parents, types, ranges, divisors, keywords and order, and leaves out defaults, the names of
// arguments and of parameter fields, imports and typedef names (rule 154).
func (f *File) PandaHash() (uint32, error) {
	h := &hasher{primes: firstPrimes(hashPrimes)}
	h.file(f)
	return h.sum, h.err
}

// AstronHash is the number that Astron computes, which is PandaHash but for files that declare one of the nine
// historical keywords: to Panda3D such a keyword is a new one, to Astron it is not. The error says what Astron would not
// have read, or has no definite number for: it hashes keywords beyond the nine by reading past the end of a table.
func (f *File) AstronHash() (uint32, error) {
	h := &hasher{primes: firstPrimes(hashPrimes), astron: true}
	for _, d := range f.typedefs {
		if d.typ.base == baseString || d.typ.base == baseBlob {
			h.refuse(d.at, "a typedef of %s changes what Astron hashes for every other %s", baseWords[d.typ.base], baseWords[d.typ.base])
		}
	}
	h.file(f)
	return h.sum, h.err
}

// hashPrimes is how many primes the sum goes round.
const hashPrimes = 10000

// firstPrimes are the first n primes.
func firstPrimes(n int) []uint32 {
	primes := make([]uint32, 0, n)
	for c := uint32(2); len(primes) < n; c++ {
		i := 0
		for i < len(primes) && primes[i]*primes[i] <= c && c%primes[i] != 0 {
			i++
		}
		if i == len(primes) || primes[i]*primes[i] > c {
			primes = append(primes, c)
		}
	}
	return primes
}

// hasher adds up numbers, each multiplied by the next prime.
type hasher struct {
	primes []uint32
	next   int
	sum    uint32
	astron bool
	err    error // the first
}

func (h *hasher) int(n int32) {
	h.sum += h.primes[h.next] * uint32(n)
	h.next = (h.next + 1) % len(h.primes)
}

func (h *hasher) string(s string) {
	h.int(int32(len(s)))
	for i := range len(s) {
		h.int(int32(s[i]))
	}
}

func (h *hasher) refuse(at do.Position, format string, args ...any) {
	if h.err == nil {
		h.err = fmt.Errorf("dc: %s"+format, append([]any{at}, args...)...)
	}
}

// inheritanceByFile stands in front of the file: how inherited fields are found.
const inheritanceByFile = 1

func (h *hasher) file(f *File) {
	h.int(inheritanceByFile)
	h.int(int32(len(f.classes)))
	for _, c := range f.classes {
		h.class(c)
	}
}

func (h *hasher) class(c *class) {
	if h.astron && c.isStruct && (c.name == "" || len(c.parents) > 0) {
		h.refuse(c.at, "Astron has neither structs within parameters nor structs with parents")
	}
	h.string(c.name)
	if c.isStruct {
		h.int(1)
	}
	h.int(int32(len(c.parents)))
	for _, p := range c.parents {
		h.int(int32(p.number))
	}
	if c.constructor != nil {
		if !h.astron {
			h.refuse(c.constructor.at, "Panda3D stores no constructor on a dclass")
		}
		h.field(c.constructor)
	}
	fields := slices.DeleteFunc(slices.Clone(c.fields), func(f *field) bool { return f.form == gone })
	h.int(int32(len(fields)))
	for _, f := range fields {
		h.field(f)
	}
}

func (h *hasher) field(f *field) {
	if f.form == parameter {
		if len(f.keywords) > 0 {
			h.keywords(f.keywords)
		}
		h.typ(f.params[0].typ)
		return
	}
	h.string(f.name)
	h.int(int32(f.number))
	if f.form == molecular {
		h.int(int32(len(f.parts)))
		for _, p := range f.parts {
			if p.form == parameter && !h.astron {
				h.refuse(f.at, "in Panda3D the parts of a molecular field are atomic fields, and %s is none", p.name)
			}
			h.field(p)
		}
		return
	}
	h.int(int32(len(f.params)))
	for i := range f.params {
		h.typ(f.params[i].typ)
	}
	h.keywords(f.keywords)
}

// keywords are a set of bits if all are historical, else their names in alphabetical order.
func (h *hasher) keywords(ks []keyword) {
	var bits uint32
	named := false
	names := make([]string, 0, len(ks))
	for _, k := range ks {
		flag := k.flag
		if h.astron {
			if flag = historical[k.name]; flag == 0 {
				h.refuse(k.at, "Astron has no definite hash for the keyword %s", k.name)
			}
		}
		bits |= flag
		named = named || flag == 0
		names = append(names, k.name)
	}
	if !named {
		h.int(int32(bits))
		return
	}
	slices.Sort(names)
	h.int(int32(len(names)))
	for _, n := range names {
		h.string(n)
	}
}

func (h *hasher) typ(t *typ) {
	switch {
	case t.base == baseClass:
		h.class(t.class)
		return
	case t.base == baseArray:
		h.array(t)
		return
	case t.base == baseFloat32 && h.astron:
		return // nothing at all
	case t.base == baseFloat32:
		h.refuse(t.at, "Panda3D has no float32")
		return
	case h.astron && t.base > baseBlob && t.base != baseChar:
		h.refuse(t.at, "Astron has no %s", baseWords[t.base])
	}
	if h.astron && len(t.ranges) > 1 {
		h.refuse(t.at, "Astron has one range for a type, not %d", len(t.ranges))
	}
	h.int(int32(t.base))
	h.int(int32(t.divisor))
	if t.modulus > 0 {
		h.int(truncated(t.modulus * float64(t.divisor)))
	}
	if len(t.ranges) == 0 {
		return
	}
	h.int(int32(len(t.ranges)))
	for _, s := range t.ranges {
		h.int(h.bound(t, s.lo))
		h.int(h.bound(t, s.hi))
	}
}

// bound is a bound as it travels. Where it has more than 32 bits, Panda3D takes the lower ones.
func (h *hasher) bound(t *typ, n number) int32 {
	v := n.real * float64(t.divisor)
	switch {
	case t.base == baseFloat64:
		return truncated(v)
	case h.astron:
		return truncated(math.Floor(v + 0.5))
	case n.negative:
		return int32(int64(math.Floor(v + 0.5)))
	}
	return int32(uint32(uint64(math.Floor(v + 0.5))))
}

// truncated is v without its fraction; what does not fit is the smallest int, as on the machines where this counted.
func truncated(v float64) int32 {
	if v >= 1<<31 || v <= -1<<31-1 || v != v {
		return math.MinInt32
	}
	return int32(v)
}

// array hashes brackets that follow each other from the inside out; Astron nests them the other way round.
func (h *hasher) array(t *typ) {
	sizes := [][]span{t.ranges}
	e := t.elem
	for ; e.base == baseArray && e.alias == nil; e = e.elem {
		sizes = append(sizes, e.ranges)
	}
	h.typ(e)
	if !h.astron {
		slices.Reverse(sizes)
	}
	for _, size := range sizes {
		if h.astron && len(size) > 1 {
			h.refuse(t.at, "Astron has one range for a type, not %d", len(size))
		}
		if len(size) == 0 {
			continue
		}
		h.int(int32(len(size)))
		for _, s := range size {
			h.int(int32(uint32(s.lo.abs)))
			h.int(int32(uint32(s.hi.abs)))
		}
	}
}
