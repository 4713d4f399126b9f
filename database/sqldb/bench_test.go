package sqldb

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/testpg"
)

// BenchmarkSet writes one int64 of each of 100 objects, in batches of a size. One operation is one object.
func BenchmarkSet(b *testing.B) {
	for kind, address := range map[string]string{"sqlite": "sqlite:" + filepath.Join(b.TempDir(), "otpd.db"), "postgres": testpg.URL(b)} {
		backend, s, class := benchmarkObjects(b, address)
		for _, size := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/batch=%d", kind, size), func(b *testing.B) {
				ops := make([]database.Op, size)
				for i := range ops {
					value := fields.MapOf(fields.Pair{Number: class.FieldByName("Gold").Number, Value: fields.AppendInt(nil, int64(i))})
					ops[i] = database.Op{Kind: database.OpSet, ID: do.NewID(1, 0, uint64(i)), Class: class, Fields: value}
				}
				for done := 0; done < b.N; done += size {
					results, err := backend.Do(b.Context(), s, ops)
					require.NoError(b, err)
					for i := range ops {
						ops[i].Expect = results[i].Version // as a state server does
					}
				}
			})
		}
		require.NoError(b, backend.Close())
	}
}

func benchmarkObjects(b *testing.B, address string) (*Backend, *do.Schema, *do.Class) {
	b.Helper()
	ctx := context.Background()
	gold, err := fields.ParseType("int64")
	require.NoError(b, err)
	s, err := do.NewSchema([]do.ClassDecl{{Name: "Avatar", Fields: []do.FieldDecl{
		{Name: "Gold", Kind: do.FieldState, Keywords: fields.DB, Type: gold},
	}}}, nil)
	require.NoError(b, err)
	backend, err := Open(ctx, address)
	require.NoError(b, err)
	_, err = backend.SetSchema(ctx, 0, s)
	require.NoError(b, err)
	for n := range uint64(100) {
		rs, err := backend.Do(ctx, s, []database.Op{{Kind: database.OpCreate, ID: do.NewID(1, 0, n), Class: s.Class("Avatar")}})
		require.NoError(b, err)
		require.NoError(b, rs[0].Err)
	}
	return backend, s, s.Class("Avatar")
}
