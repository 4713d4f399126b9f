package fields

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Tag is what stands in a do:"..." tag. Words are separated by commas; a value with commas, spaces or quotes in it
// stands between single quotes, in which two of them stand for one:
//
//	required,db,broadcast,max=24,pattern='[a-z]{1,8}'
//
// Besides the keywords there are
//
//	min= max=            of numbers and durations the value, of strings, bytes, slices and maps the length;
//	                     for a packed float in divided units, before scaling (rule 72)
//	minlen= maxlen= len= the length, in bytes or elements, said as such
//	pattern=             a Go regular expression that a string must match as a whole
//	oneof=a|b|c          the only values that an int or string may have
//	as= scale= mod=      pack a float: as=int16,scale=10,mod=360 is an int16 of round(v*10), v brought into [0, 360)
//	elem='...' key='...' a tag for the elements of an array, slice or map, and for the keys of a map
//	default=             the value of a required field that nobody set, as Type.ParseText reads it
//	rate=                how many updates per second one client may send
//	of=X|Y|Z             the parts of a molecular field
//
// On an array, slice or map, words that can only mean its elements (pattern, oneof, as, scale, mod, and on an array
// all of them) go to the elements; on a struct of floats alone as, scale, mod, min and max go to all its members.
type Tag struct {
	Keywords Keyword

	// Bounds as they are written, empty if not given: what they mean depends on the type.
	Min, Max string
	// Lengths as they are written, empty if not given; decimal and not negative. len= sets both.
	MinLen, MaxLen string
	Pattern        string
	OneOf          []string
	As             string
	Scale          uint32  // 0 if not given
	Mod            float64 // 0 if not given
	Elem, Key      *Tag    // constraints only

	Default    string
	HasDefault bool
	Rate       float64 // updates per second, 0 if not given
	Of         []string
}

// tagWords are the words with a value, for error texts.
const tagWords = "min= max= minlen= maxlen= len= pattern= oneof= as= scale= mod= elem= key= default= rate= of="

// ParseTag reads what is between the quotes of do:"...". Every error wraps ErrTag, names the word, and says what is
// allowed. Whether the words fit a type is for TypeOf to say.
func ParseTag(s string) (Tag, error) {
	tag, err := parseTag(s, 0)
	if err != nil {
		return Tag{}, fmt.Errorf("fields: parse tag %q: %w", s, err)
	}
	return tag, nil
}

// parseTag reads a tag that stands in depth others.
func parseTag(s string, depth int) (Tag, error) {
	var tag Tag
	if depth > MaxDepth {
		return tag, ErrDepth
	}
	seen := map[string]bool{}
	for first := true; s != "" || !first; first = false {
		word, value, hasValue, rest, more, err := cutWord(s)
		if err != nil {
			return tag, err
		}
		if word == "" && !hasValue {
			return tag, fmt.Errorf("%w: an empty word between commas", ErrTag)
		}
		if seen[word] {
			return tag, fmt.Errorf("%w: %q is there twice", ErrTag, word)
		}
		seen[word] = true
		if err := tag.set(word, value, hasValue, depth); err != nil {
			return tag, err
		}
		if s = rest; !more {
			break
		}
	}
	if seen["len"] && (seen["minlen"] || seen["maxlen"]) {
		return tag, fmt.Errorf("%w: len= with minlen= or maxlen=: give one of them", ErrTag)
	}
	if tag.As == "" && (tag.Scale != 0 || tag.Mod != 0) {
		return tag, fmt.Errorf("%w: scale= and mod= need as=", ErrTag)
	}
	return tag, nil
}

// cutWord cuts "word" or "word=value" or "word='value'" off the front of s. more says that a comma followed.
func cutWord(s string) (word, value string, hasValue bool, rest string, more bool, err error) {
	end := strings.IndexAny(s, ",=")
	if end < 0 || s[end] == ',' {
		word, rest, more = strings.Cut(s, ",")
		return strings.TrimSpace(word), "", false, rest, more, nil
	}
	word, rest = strings.TrimSpace(s[:end]), s[end+1:]
	if !strings.HasPrefix(rest, "'") {
		value, rest, more = strings.Cut(rest, ",")
		return word, value, true, rest, more, nil
	}
	var b strings.Builder
	for rest = rest[1:]; ; {
		part, after, ok := strings.Cut(rest, "'")
		if !ok {
			return word, "", true, "", false, fmt.Errorf("%w: %s=' has no closing quote", ErrTag, word)
		}
		b.WriteString(part)
		if rest = after; !strings.HasPrefix(rest, "'") {
			break
		}
		b.WriteByte('\'')
		rest = rest[1:]
	}
	switch {
	case rest == "":
		return word, b.String(), true, "", false, nil
	case rest[0] == ',':
		return word, b.String(), true, rest[1:], true, nil
	}
	return word, "", true, "", false, fmt.Errorf("%w: %q after the quoted value of %s=: a comma must follow", ErrTag, rest, word)
}

// set puts one word into t.
func (t *Tag) set(word, value string, hasValue bool, depth int) error {
	if k, ok := keywordOf(word); ok {
		if hasValue {
			return fmt.Errorf("%w: the keyword %q takes no value", ErrTag, word)
		}
		t.Keywords |= k
		return nil
	}
	if !slices.Contains(strings.Fields(tagWords), word+"=") {
		return fmt.Errorf("%w: unknown word %q: allowed are %s, and %s", ErrTag, word, keywordNames, tagWords)
	}
	if !hasValue {
		return fmt.Errorf("%w: %q stands without a value: write %s= and one", ErrTag, word, word)
	}
	if value == "" && word != "default" {
		return fmt.Errorf("%w: %s= has no value", ErrTag, word)
	}
	return t.setValue(word, value, depth)
}

// setValue puts one word with a value into t.
func (t *Tag) setValue(word, value string, depth int) (err error) {
	switch word {
	case "min":
		t.Min = value
	case "max":
		t.Max = value
	case "minlen":
		t.MinLen, err = tagLength(word, value)
	case "maxlen":
		t.MaxLen, err = tagLength(word, value)
	case "len":
		t.MinLen, err = tagLength(word, value)
		t.MaxLen = t.MinLen
	case "pattern":
		t.Pattern = value
	case "oneof":
		t.OneOf, err = tagList(word, value)
	case "as":
		t.As = value
		if _, ok := packable(value); !ok {
			err = fmt.Errorf("%w: as=%s: allowed are %s", ErrTag, value, packableNames)
		}
	case "scale":
		n, perr := strconv.ParseUint(value, 10, 32)
		if t.Scale = uint32(n); perr != nil || n == 0 {
			err = fmt.Errorf("%w: scale=%s: allowed is a whole number from 1", ErrTag, value)
		}
	case "mod":
		t.Mod, err = tagPositive(word, value)
	case "elem":
		t.Elem, err = tagNested(word, value, depth)
	case "key":
		t.Key, err = tagNested(word, value, depth)
	case "default":
		t.Default, t.HasDefault = value, true
	case "rate":
		t.Rate, err = tagPositive(word, value)
	case "of":
		t.Of, err = tagList(word, value)
	}
	return err
}

// tagLength checks a length, and brings it into its one form.
func tagLength(word, value string) (string, error) {
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil || n > MaxValueLen {
		return "", fmt.Errorf("%w: %s=%s: allowed is a whole number from 0 to %d", ErrTag, word, value, MaxValueLen)
	}
	return strconv.FormatUint(n, 10), nil
}

// tagPositive reads a finite number above zero.
func tagPositive(word, value string) (float64, error) {
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || !(f > 0) || math.IsInf(f, 0) {
		return 0, fmt.Errorf("%w: %s=%s: allowed is a number above 0", ErrTag, word, value)
	}
	return f, nil
}

// tagList reads a|b|c.
func tagList(word, value string) ([]string, error) {
	list := strings.Split(value, "|")
	for i, v := range list {
		if v == "" {
			return nil, fmt.Errorf("%w: %s=%s: an empty value between |", ErrTag, word, value)
		}
		if slices.Contains(list[:i], v) {
			return nil, fmt.Errorf("%w: %s=%s: %q is there twice", ErrTag, word, value, v)
		}
	}
	return list, nil
}

// tagNested reads the tag of elements or keys, which has constraints only.
func tagNested(word, value string, depth int) (*Tag, error) {
	tag, err := parseTag(value, depth+1)
	if err != nil {
		return nil, fmt.Errorf("%s='%s': %w", word, value, err)
	}
	if w := tag.fieldWord(); w != "" {
		return nil, fmt.Errorf("%w: %s='%s': %q belongs to the whole field", ErrTag, word, value, w)
	}
	return &tag, nil
}

// fieldWord returns a word of t that only a whole field can have, or "".
func (t *Tag) fieldWord() string {
	switch {
	case t.Keywords != 0:
		return strings.Fields(t.Keywords.String())[0]
	case t.HasDefault:
		return "default"
	case t.Rate != 0:
		return "rate"
	case t.Of != nil:
		return "of"
	}
	return ""
}

// constraintWord returns a word of t that constrains a value, or "".
func (t *Tag) constraintWord() string {
	for _, w := range []struct {
		name string
		set  bool
	}{
		{"min", t.Min != ""},
		{"max", t.Max != ""},
		{"minlen", t.MinLen != ""},
		{"maxlen", t.MaxLen != ""},
		{"pattern", t.Pattern != ""},
		{"oneof", t.OneOf != nil},
		{"as", t.As != ""},
		{"scale", t.Scale != 0},
		{"mod", t.Mod != 0},
		{"elem", t.Elem != nil},
		{"key", t.Key != nil},
	} {
		if w.set {
			return w.name
		}
	}
	return ""
}
