package do

import (
	"fmt"
	"slices"
	"strings"

	"github.com/otpd/otpd/fields"
)

// ClassDecl declares a class without a Go type: what a schema's text and a Registry are turned into.
type ClassDecl struct {
	Name    string
	Parents []string // declared before it, in the order that C3 takes
	Fields  []FieldDecl
	At      Position // for error texts
}

// FieldDecl declares a field of a class.
type FieldDecl struct {
	Name     string
	Kind     FieldKind
	Keywords fields.Keyword
	Type     *fields.Type // nil for a molecular
	Reply    *fields.Type // of a call
	Parts    []string     // of a molecular: fields declared before it, here or in an ancestor
	Default  []byte       // encoded
	Rate     float64
	Gone     bool     // the field was removed: nothing but its number is left
	At       Position // for error texts
}

// Position is where something stands: line and column (in bytes) of a text, both from 1, or all zero without a text.
type Position struct {
	File      string // empty for a text without a name
	Line, Col int
}

// String is "FILE:LINE:COL: ", as it stands before the text of an error; empty without a text.
func (p Position) String() string {
	switch {
	case p.Line == 0:
		return ""
	case p.File == "":
		return fmt.Sprintf("%d:%d: ", p.Line, p.Col)
	}
	return fmt.Sprintf("%s:%d:%d: ", p.File, p.Line, p.Col)
}

// maxName is the longest name of a class or field in bytes: databases cut longer ones.
const maxName = 63

// reserved are the words that cannot be names, since a schema's text needs them.
const reserved = " dclass struct keyword typedef import from switch case default break required ram db broadcast" +
	" clsend clrecv ownsend ownrecv airecv ai latest review index unique gone uberdog" +
	" bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 string blob bytes char time duration id map "

// checkName refuses what a schema's text or a database could not hold.
func checkName(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%w: a name is missing", ErrSchema)
	case len(s) > maxName:
		return fmt.Errorf("%w: the name is longer than %d bytes", ErrSchema, maxName)
	case strings.Contains(reserved, " "+s+" "):
		return fmt.Errorf("%w: the name is a reserved word", ErrSchema)
	case len(s) >= 5 && strings.EqualFold(s[:5], "otpd_"):
		return fmt.Errorf("%w: names that begin with otpd_ are the database's own", ErrSchema)
	}
	for i := range len(s) {
		if !wordByte(s[i]) || i == 0 && s[i] >= '0' && s[i] <= '9' {
			return fmt.Errorf("%w: a name has only the letters a-z and A-Z, digits and _, and does not begin with a digit", ErrSchema)
		}
	}
	return nil
}

// wordByte reports whether c can be in a name.
func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// checkField refuses a declaration that contradicts itself; it does not look at other fields.
func checkField(f *FieldDecl) error {
	if err := checkName(f.Name); err != nil {
		return err
	}
	switch {
	case f.Kind == FieldMolecular && f.Type != nil, f.Kind != FieldMolecular && f.Type == nil,
		(f.Kind == FieldCall) != (f.Reply != nil), f.Kind > FieldMolecular:
		return fmt.Errorf("%w: a %s with these types", ErrSchema, f.Kind)
	case f.Kind == FieldMolecular:
		return checkMolecular(f)
	}
	for _, r := range keywordRules {
		if r.kinds&(1<<f.Kind) != 0 && r.broken(f) {
			return fmt.Errorf("%w: %s", ErrSchema, r.why)
		}
	}
	if err := checkZoneWords(f); err != nil {
		return err
	}
	if f.Default != nil {
		if err := f.Type.Check(f.Default); err != nil {
			return fmt.Errorf("%w: the default does not fit %s: %w", ErrSchema, f.Type, err)
		}
	} else if f.Kind == FieldState {
		if err := f.Type.Check(f.Type.Zero()); err != nil {
			return fmt.Errorf("%w: without a default its first value would be the zero of %s, which does not fit: %w", ErrSchema, f.Type, err)
		}
	}
	return nil
}

func checkMolecular(f *FieldDecl) error {
	switch {
	case len(f.Parts) == 0:
		return fmt.Errorf("%w: a molecular names its parts (of=X|Y)", ErrSchema)
	case f.Keywords != 0:
		return fmt.Errorf("%w: a molecular takes the keywords of its parts and has none of its own (rule 61)", ErrSchema)
	case f.Default != nil || f.Rate != 0:
		return fmt.Errorf("%w: a molecular has no default and no rate: its parts may", ErrSchema)
	}
	return nil
}

// keywordRule is one contradiction.
type keywordRule struct {
	kinds  uint8 // bit set of 1 << FieldKind
	broken func(f *FieldDecl) bool
	why    string
}

const (
	inState = 1 << FieldState
	inEvent = 1 << FieldEvent
	inCall  = 1 << FieldCall
	clients = fields.ClSend | fields.OwnSend
	kept    = fields.Required | fields.RAM | fields.DB
)

// both is broken where a and any of b are set.
func both(a, b fields.Keyword) func(*FieldDecl) bool {
	return func(f *FieldDecl) bool { return f.Keywords.Has(a) && f.Keywords.Any(b) }
}

// without is broken where any of a is set and none of b.
func without(a, b fields.Keyword) func(*FieldDecl) bool {
	return func(f *FieldDecl) bool { return f.Keywords.Any(a) && !f.Keywords.Any(b) }
}

// has is broken where any of k is set.
func has(k fields.Keyword) func(*FieldDecl) bool {
	return func(f *FieldDecl) bool { return f.Keywords.Any(k) }
}

// keywordRules are the contradictions among the keywords of one field; the first broken one is told.
// A db field that is neither required nor ram may well be heard and sent: its updates pass by and are written to the
// database, and memory does not keep them (rule 21).
var keywordRules = []keywordRule{
	{inState, func(f *FieldDecl) bool { return !f.Keywords.Any(kept) }, "a state field is required, ram or db: without any it would be an event, which is declared as do.Event"},
	{inEvent, has(kept), "an event is never stored: it cannot be required, ram or db"},
	{inCall, has(kept), "a call is never stored: it cannot be required, ram or db"},
	{inEvent, has(fields.ClRecv), "clrecv is about the value at entry, which an event does not have"},
	{inCall, has(fields.Broadcast | fields.ClRecv), "a call goes to one process, which answers: it cannot be broadcast or clrecv"},
	{inCall, both(fields.OwnRecv, clients|fields.AIRecv), "one side answers a call: with ownrecv it is the owner, whom AIs call, else the AI, whom clients call with clsend or ownsend"},
	{inEvent | inCall, has(fields.Index | fields.Unique), "index and unique are about database columns, which only db state fields have"},
	{inEvent | inCall, has(fields.Latest), "latest is last-wins, which holds for state fields only"},
	{inEvent | inCall, has(fields.Review), "review is about setting a value, which only state fields have"},
	{inEvent | inCall, func(f *FieldDecl) bool { return f.Default != nil }, "only state fields have a default"},
	{inState | inEvent | inCall, both(fields.AI, clients), "ai means that only the AI may set it, clsend and ownsend mean that clients may"},
	{inState, without(fields.Index|fields.Unique, fields.DB), "index and unique need db"},
	{inState, without(fields.ClRecv, fields.Required|fields.RAM), "clrecv needs required or ram: other fields are in no entry"},
	{inState, without(fields.Latest, fields.Required|fields.RAM), "latest needs required or ram: the newest value is the one in memory"},
	{inState, without(fields.Latest, fields.Broadcast|fields.OwnRecv|fields.AIRecv|clients), "latest is about how updates travel, and nobody sends or hears this field"},
	{inState, both(fields.Latest, fields.Unique|fields.Review), "latest updates may be lost or skipped: not with unique or review, where each is answered"},
	{inState, without(fields.Review, clients), "review needs clsend or ownsend: it is about what clients set"},
	{inState | inEvent | inCall, func(f *FieldDecl) bool { return f.Rate != 0 && !f.Keywords.Any(clients) }, "rate needs clsend or ownsend: it is about what clients send"},
	{inState | inEvent | inCall, func(f *FieldDecl) bool { return !(f.Rate >= 0 && f.Rate <= 1e6) }, "rate is updates per second, above 0 and at most 1000000"},
	{inState, func(f *FieldDecl) bool {
		return f.Keywords.Any(fields.Index|fields.Unique) && !indexable(f.Type.Kind())
	}, "index and unique need a type that a database orders: no bytes, arrays, slices, maps or structs"},
}

// indexable reports whether a database can hold a value of kind k in an ordinary indexed column.
func indexable(k fields.Kind) bool {
	return !slices.Contains([]fields.Kind{fields.KindBytes, fields.KindArray, fields.KindSlice, fields.KindMap, fields.KindStruct}, k)
}
