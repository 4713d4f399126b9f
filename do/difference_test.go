package do

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestDifferencesNamesThemAll(t *testing.T) {
	other := parse(t, `dclass P {
  string N required;
  int8 M ram;
}
dclass A : P {
  int16 X ram;
  //! gone;
}
dclass V {
  Go(int8) clsend;
}
//! uberdog #5 V;
`)
	require.Equal(t, []Difference{
		{true, "class P: field 1 (M) is missing in the old schema"},
		{false, "class A: field 0 is int8 X ram; in the old schema and int16 X ram; in the new"},
		{true, "class A: field 1 (Y) is gone in the new schema"},
		{true, "class U is missing in the new schema"},
		{true, "class V is missing in the old schema"},
		{false, "uberdog #5 is a U in the old schema and a V in the new"},
	}, Differences(parse(t, comparedBase), other))
}

func TestDifferencesAgreesWithCompare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawSchema(t), drawSchema(t)
		if rapid.Bool().Draw(t, "merged") {
			if m, err := Merge(a, b); err == nil {
				b = m
			}
		}
		all := Differences(a, b)
		compat, why := Compare(a, b)
		want := Compatible
		if len(all) == 0 {
			want = Same
		}
		texts := map[string]bool{"": true}
		for _, d := range all {
			if !d.Compatible {
				want = Incompatible
			}
			texts[d.Text] = true
		}
		require.Equal(t, want, compat, "%v %s", all, why)
		require.True(t, texts[why], "%q is not in %v", why, all)
	})
}
