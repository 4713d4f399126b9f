package fields

import (
	"fmt"
	"strings"
)

// Keyword is a set of the words that say where a field lives, who hears it and who may set it.
type Keyword uint32

// The keywords, in the order in which they are written. The values are part of the schema's canonical text only
// through their names.
const (
	Required  Keyword = 1 << iota // always has a value; part of every entry
	RAM                           // kept in memory by the state server
	DB                            // kept in the database
	Broadcast                     // heard by everybody who sees the object
	ClSend                        // any client that knows the object may set it
	ClRecv                        // part of what clients get at entry, never of updates (rule 68)
	OwnSend                       // the owner may set it
	OwnRecv                       // the owner hears it
	AIRecv                        // the object's AI hears it
	AI                            // only the AI may set it: the default, written out
	Latest                        // the newest value wins, older ones need not arrive
	Review                        // a client's set goes to the AI, which then sets it
	Index                         // the database finds objects by it
	Unique                        // the database holds each value once
	Position                      // X and Y of it are where the object is below its parent
	Grid                          // lays cells over the ground below the object
	Edges                         // the doors of the zones below the object
	Auto                          // the zones below the object that open for who sees it (rule 163)
	Open                          // the zones below the object that clients may open
)

// keywordNames is in the order of the bits.
const keywordNames = "required ram db broadcast clsend clrecv ownsend ownrecv airecv ai latest review index unique position grid edges auto open"

// Has reports whether all of o are in k.
func (k Keyword) Has(o Keyword) bool { return k&o == o }

// Any reports whether at least one of o is in k.
func (k Keyword) Any(o Keyword) bool { return k&o != 0 }

// String returns the keywords as ParseKeyword reads them: "required ram db".
func (k Keyword) String() string {
	var out []string
	for i, name := range strings.Fields(keywordNames) {
		if k&(1<<i) != 0 {
			out = append(out, name)
			k &^= 1 << i
		}
	}
	if k != 0 {
		out = append(out, fmt.Sprintf("keyword(%#x)", uint32(k)))
	}
	return strings.Join(out, " ")
}

// ParseKeyword reads keywords with spaces between them; the empty text is the empty set.
func ParseKeyword(s string) (Keyword, error) {
	var k Keyword
	for _, w := range strings.Fields(s) {
		one, ok := keywordOf(w)
		if !ok {
			return 0, fmt.Errorf("fields: parse keyword %q: %w: allowed are %s", w, ErrText, keywordNames)
		}
		if k.Has(one) {
			return 0, fmt.Errorf("fields: parse keyword %q: %w: it is there twice", w, ErrText)
		}
		k |= one
	}
	return k, nil
}

// keywordOf returns the bit of one word.
func keywordOf(word string) (Keyword, bool) {
	for i, name := range strings.Fields(keywordNames) {
		if name == word {
			return 1 << i, true
		}
	}
	return 0, false
}
