package fields

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// pack makes the float type t one that travels as an int.
func (t *Type) pack(tag Tag) error {
	if !t.kind.isFloat() {
		return fmt.Errorf("%w: as=%s on %s: only floats can be packed", ErrDeclare, tag.As, t.kind)
	}
	as, ok := packable(tag.As)
	if !ok {
		return fmt.Errorf("%w: as=%s: allowed are %s", ErrDeclare, tag.As, packableNames)
	}
	t.base, t.kind, t.as, t.scale, t.mod = t.kind, KindPacked, as, float64(max(tag.Scale, 1)), tag.Mod
	if t.mod == 0 {
		return nil
	}
	scaled := t.mod * t.scale
	if scaled != math.Round(scaled) {
		return fmt.Errorf("%w: mod=%v,scale=%v: mod times scale must be whole", ErrDeclare, t.mod, t.scale)
	}
	if _, hi := as.limits(); scaled-1 > float64(hi) {
		return fmt.Errorf("%w: mod=%v,scale=%v: up to %v does not fit %s", ErrDeclare, t.mod, t.scale, scaled-1, as)
	}
	t.modInt = int64(scaled)
	return nil
}

// constrain applies the constraints of tag to t, whose kind and parts are set, and refuses those that t cannot have.
// Elem and Key of the tag were consumed before.
func (t *Type) constrain(tag Tag) error {
	lower, upper := tag.MinLen, tag.MaxLen
	if t.kind.hasLength() {
		if tag.Min != "" && lower != "" || tag.Max != "" && upper != "" {
			return fmt.Errorf("%w: %s: min= and minlen= (or max= and maxlen=, len=) mean the same here: give one", ErrDeclare, t.kind)
		}
		lower, upper = lower+tag.Min, upper+tag.Max
		if err := t.setLengths(lower, upper); err != nil {
			return err
		}
	} else if lower != "" || upper != "" {
		return fmt.Errorf("%w: a length on %s: only string, bytes, slice and map have one", ErrDeclare, t.kind)
	}
	if err := t.setRange(tag); err != nil {
		return err
	}
	if err := t.setPattern(tag.Pattern); err != nil {
		return err
	}
	return t.setOneOf(tag.OneOf)
}

// setLengths sets minLen and maxLen from their text.
func (t *Type) setLengths(lower, upper string) error {
	t.maxLen = MaxValueLen
	for _, b := range []struct {
		name, text string
		to         *int
	}{{"min", lower, &t.minLen}, {"max", upper, &t.maxLen}} {
		if b.text == "" {
			continue
		}
		n, err := strconv.ParseUint(b.text, 10, 32)
		if err != nil || n > MaxValueLen {
			return fmt.Errorf("%w: %s=%s on %s: allowed is a length from 0 to %d", ErrDeclare, b.name, b.text, t.kind, MaxValueLen)
		}
		*b.to = int(n)
	}
	if t.minLen > t.maxLen {
		return fmt.Errorf("%w: min=%d is above max=%d", ErrDeclare, t.minLen, t.maxLen)
	}
	return nil
}

// setRange sets the bounds of a number: those of its kind, narrowed by min= and max=.
func (t *Type) setRange(tag Tag) error {
	switch {
	case t.kind == KindPacked:
		return t.setPackedRange(tag)
	case t.kind.isInt():
		return t.setIntRange(tag)
	case t.kind == KindUint64:
		return t.setUintRange(tag)
	case t.kind.isFloat():
		return t.setFloatRange(tag)
	case (tag.Min != "" || tag.Max != "") && !t.kind.hasLength():
		return fmt.Errorf("%w: min= or max= on %s", ErrDeclare, t.kind)
	}
	return nil
}

// above is the error of a range that is empty.
func above(tag Tag) error {
	return fmt.Errorf("%w: min=%s is above max=%s", ErrDeclare, tag.Min, tag.Max)
}

// setIntRange sets lo and hi. A bound equal to that of the kind says nothing and is forgotten.
func (t *Type) setIntRange(tag Tag) error {
	lo, hi := t.kind.limits()
	t.lo, t.hi = lo, hi
	if t.kind == KindTime && (tag.Min != "" || tag.Max != "") {
		return fmt.Errorf("%w: min= or max= on time", ErrDeclare)
	}
	var err error
	if tag.Min != "" {
		if t.lo, err = t.parseInt(tag.Min); err != nil || t.lo < lo || t.lo > hi {
			return fmt.Errorf("%w: min=%s is no %s", ErrDeclare, tag.Min, t.kind)
		}
	}
	if tag.Max != "" {
		if t.hi, err = t.parseInt(tag.Max); err != nil || t.hi < lo || t.hi > hi {
			return fmt.Errorf("%w: max=%s is no %s", ErrDeclare, tag.Max, t.kind)
		}
	}
	if t.lo > t.hi {
		return above(tag)
	}
	t.hasMin, t.hasMax = t.lo != lo, t.hi != hi
	return nil
}

// setUintRange sets ulo and uhi.
func (t *Type) setUintRange(tag Tag) (err error) {
	t.uhi = math.MaxUint64
	if tag.Min != "" {
		if t.ulo, err = strconv.ParseUint(tag.Min, 10, 64); err != nil {
			return fmt.Errorf("%w: min=%s is no uint64", ErrDeclare, tag.Min)
		}
	}
	if tag.Max != "" {
		if t.uhi, err = strconv.ParseUint(tag.Max, 10, 64); err != nil {
			return fmt.Errorf("%w: max=%s is no uint64", ErrDeclare, tag.Max)
		}
	}
	if t.ulo > t.uhi {
		return above(tag)
	}
	t.hasMin, t.hasMax = t.ulo != 0, t.uhi != math.MaxUint64
	return nil
}

// setFloatRange sets flo and fhi, rounded to float32 for such a field: the float32 nearest to 0.1 is above the
// float64 nearest to it, and must still satisfy max=0.1.
func (t *Type) setFloatRange(tag Tag) (err error) {
	if tag.Min != "" {
		if t.flo, err = parseFinite(tag.Min, t.kind); err != nil {
			return fmt.Errorf("%w: min=%s is no finite %s", ErrDeclare, tag.Min, t.kind)
		}
	}
	if tag.Max != "" {
		if t.fhi, err = parseFinite(tag.Max, t.kind); err != nil {
			return fmt.Errorf("%w: max=%s is no finite %s", ErrDeclare, tag.Max, t.kind)
		}
	}
	t.hasMin, t.hasMax = tag.Min != "", tag.Max != ""
	if t.hasMin && t.hasMax && t.flo > t.fhi {
		return above(tag)
	}
	return nil
}

// setPackedRange sets lo and hi, scaled (rule 72), within what the int and mod leave.
func (t *Type) setPackedRange(tag Tag) (err error) {
	lo, hi := t.as.limits()
	if t.modInt > 0 {
		lo, hi = 0, t.modInt-1
	}
	t.lo, t.hi = lo, hi
	for _, b := range []struct {
		name, text string
		to         *int64
	}{{"min", tag.Min, &t.lo}, {"max", tag.Max, &t.hi}} {
		if b.text == "" {
			continue
		}
		f, err := parseFinite(b.text, KindFloat64)
		if f = math.Round(f * t.scale); err != nil || f < float64(lo) || f > float64(hi) {
			return fmt.Errorf("%w: %s=%s times %v does not fit %s (%d..%d)", ErrDeclare, b.name, b.text, t.scale, t.as, lo, hi)
		}
		*b.to = int64(f)
	}
	if t.lo > t.hi {
		return above(tag)
	}
	t.hasMin, t.hasMax = t.lo != lo, t.hi != hi
	return nil
}

// parseFinite reads a float that is neither NaN nor infinite, rounded to the kind.
func parseFinite(s string, kind Kind) (float64, error) {
	bits := 64
	if kind == KindFloat32 {
		bits = 32
	}
	f, err := strconv.ParseFloat(s, bits)
	if err == nil && (math.IsNaN(f) || math.IsInf(f, 0)) {
		err = strconv.ErrRange
	}
	return f + 0, err // + 0 makes one zero of the two
}

// parseInt reads an int of an isInt kind that is not packed.
func (t *Type) parseInt(s string) (int64, error) {
	if t.kind == KindDuration && s != "0" {
		d, err := time.ParseDuration(s)
		return int64(d), err
	}
	return strconv.ParseInt(s, 10, 64)
}

// setPattern compiles the pattern of a string.
func (t *Type) setPattern(pattern string) error {
	if pattern == "" {
		return nil
	}
	if t.kind != KindString {
		return fmt.Errorf("%w: pattern= on %s: only strings have one", ErrDeclare, t.kind)
	}
	if _, err := regexp.Compile(pattern); err != nil {
		return fmt.Errorf("%w: pattern=%s: %w", ErrDeclare, pattern, err)
	}
	re, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
	if err != nil {
		return fmt.Errorf("%w: pattern=%s: %w", ErrDeclare, pattern, err)
	}
	t.pattern, t.re = pattern, re
	return nil
}

// setOneOf sets the allowed values, each of which must satisfy the other constraints.
func (t *Type) setOneOf(list []string) error {
	if list == nil {
		return nil
	}
	if t.kind != KindString && (t.kind < KindInt8 || t.kind > KindUint64) {
		return fmt.Errorf("%w: oneof= on %s: only ints and strings have one", ErrDeclare, t.kind)
	}
	for _, text := range list {
		enc, err := t.encodeOne(text)
		if err == nil {
			_, err = t.check(enc)
		}
		if err != nil {
			return fmt.Errorf("%w: oneof=: %q: %w", ErrDeclare, text, err)
		}
	}
	if t.kind == KindString {
		t.oneStr = slices.Clone(list)
		return nil
	}
	t.oneInt = make([]int64, len(list))
	for i, text := range list {
		if t.kind == KindUint64 {
			u, _ := strconv.ParseUint(text, 10, 64)
			t.oneInt[i] = int64(u)
		} else {
			t.oneInt[i], _ = t.parseInt(text)
		}
		if slices.Contains(t.oneInt[:i], t.oneInt[i]) {
			return fmt.Errorf("%w: oneof=: %s is there twice", ErrDeclare, text)
		}
	}
	return nil
}

// encodeOne encodes an int or a bare string.
func (t *Type) encodeOne(text string) ([]byte, error) {
	switch t.kind {
	case KindString:
		return AppendString(nil, text), nil
	case KindUint64:
		u, err := strconv.ParseUint(text, 10, 64)
		return AppendUint(nil, u), err
	}
	i, err := t.parseInt(text)
	return AppendInt(nil, i), err
}
