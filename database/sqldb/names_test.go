package sqldb

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Names of classes and fields are identifiers, else the schema refuses them, and may be words of SQL; values may be
// anything. A value comes back as it was, is found, and nothing else in the database is touched.
func TestNamesAndValuesAreNeverSQL(t *testing.T) {
	text, err := fields.ParseType("string")
	require.NoError(t, err)
	data, err := fields.ParseType("bytes")
	require.NoError(t, err)
	names := rapid.OneOf(
		rapid.SampledFrom([]string{"Select", "From", "Order", "Group", "Table", "Null", "Primary", "rowid", "Where", "User", "x\"y", "otpd_meta"}),
		rapid.StringMatching(`[A-Za-z_][A-Za-z0-9_]{0,70}`), rapid.String(),
	)
	values := rapid.OneOf(
		rapid.SampledFrom([]string{"'; DROP TABLE otpd_meta; --", `"; DELETE FROM "Witness"; --`, "?1 $1 :a @b %s", "\x00", "\xff\xfe", "a\\'b"}),
		rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
	)
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		class, field, value := names.Draw(t, "class"), names.Draw(t, "field"), values.Draw(t, "value")
		if strings.EqualFold(class, "Witness") {
			return
		}
		witness := do.ClassDecl{Name: "Witness", Fields: []do.FieldDecl{{Name: "Word", Kind: do.FieldState, Keywords: fields.DB, Type: text}}}
		s, err := do.NewSchema([]do.ClassDecl{witness, {Name: class, Fields: []do.FieldDecl{
			{Name: field, Kind: do.FieldState, Keywords: fields.DB | fields.Index, Type: text},
			{Name: field + "_raw", Kind: do.FieldState, Keywords: fields.DB, Type: data},
		}}}, nil)
		if err != nil {
			return
		}
		n++
		b, err := Open(t.Context(), fmt.Sprintf("sqlite:%s/%d.db", dir, n))
		require.NoError(t, err)
		defer func() { require.NoError(t, b.Close()) }()
		if _, err = b.SetSchema(t.Context(), 0, s); err != nil {
			require.ErrorIs(t, err, database.ErrSchema)
			return
		}
		set := func(class, field string, value []byte) fields.Map {
			return fields.MapOf(fields.Pair{Number: s.Class(class).FieldByName(field).Number, Value: value})
		}
		word := set("Witness", "Word", fields.AppendString(nil, "here"))
		raw := set(class, field+"_raw", fields.AppendBin(nil, []byte(value)))
		encoded := fields.AppendString(nil, value)
		results, err := b.Do(t.Context(), s, []database.Op{
			{Kind: database.OpCreate, ID: do.NewID(1, 1, 1), Class: s.Class("Witness"), Fields: word},
			{Kind: database.OpCreate, ID: do.NewID(1, 1, 2), Class: s.Class(class), Fields: raw},
			{Kind: database.OpSet, ID: do.NewID(1, 1, 2), Fields: set(class, field, encoded), Equals: raw},
			{Kind: database.OpFind, Class: s.Class(class), Field: s.Class(class).FieldByName(field).Number, Value: encoded, All: true},
			{Kind: database.OpGet, ID: do.NewID(1, 1, 2), All: true},
			{Kind: database.OpGet, ID: do.NewID(1, 1, 1), All: true},
		})
		require.NoError(t, err)
		require.Equal(t, word, results[5].Fields)
		if results[2].Err != nil { // no UTF-8, or with a NUL
			require.ErrorIs(t, results[2].Err, database.ErrValue)
			require.Equal(t, raw, results[4].Fields)
			return
		}
		require.Equal(t, fields.Merge(raw, set(class, field, encoded)), results[4].Fields)
		require.Len(t, results[3].Rows, 1)
		require.Equal(t, results[4].Fields, results[3].Rows[0].Fields)
		record, err := b.Schema(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, record.Version)
	})
}
