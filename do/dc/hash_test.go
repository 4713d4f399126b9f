package dc

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The numbers were computed by Panda3D's and Astron's own readers, built from their public sources, for these very
// texts; docs/schema.md says which public files were compared as well.
func TestRule154LegacyHash(t *testing.T) {
	tests := []struct {
		dc            string
		panda, astron uint32 // 0: refused
	}{
		{"dclass A { int8[2][3] y ram; };", 0x443, 0x459},
		{"dclass A { int8 y2[2][3] ram; };", 0x443, 0x459},
		{"dclass A { m(uint8(0-100) r) broadcast; };", 0x1db3, 0x1db3},
		{"dclass A { m(int16%360/10 h); };", 0x24c44, 0x24c44},
		{"dclass A { m(int16%360/10(0-50) h); };", 0x2b3f3, 0x2b3f3},
		{"dclass A { m(string(8) t); };", 0xe58, 0xe58},
		{"dclass A { m(string(8-16) t); };", 0xfd0, 0xfd0},
		{"dclass A { m(char c[4]); };", 0xe26, 0xe26},
		{"dclass A { m(float64 % 6.5 a); };", 0xc36, 0xc36},
		{"dclass A { m(float64(1.5-2.5)/10 c); };", 0x13d2, 0x13d2},
		{"dclass A { m(int32(-7-100) r); };", 0x1bde, 0x1bde},
		{"dclass A { m(int64(-5000000000-5000000000) c); };", 0xa817d2ce, 0xace},
		{"dclass A { m(int64(0-5000000000) c); };", 0xb71778ce, 0x80000ace},
		{"dclass A { m(uint32(0-4000000000) c); };", 0xc5ac632b, 0x80000b2b},
		{"dclass A { uint8[] a ram; };", 0x2c9, 0x2c9},
		{"dclass A { uint8 a[3] ram; };", 0x3b2, 0x3b2},
		{"dclass A { uint8 b ram; uint8 c ram; d : b, c; };", 0, 0x1ce3},
		{"dclass A { A(string n, uint8 x) required; };", 0, 0x869},
		{"dclass A { A(string n, uint8 x) required; foo(); };", 0, 0x5880},
		{"dclass A { m(float32 x); };", 0, 0xa23},
	}
	for _, test := range tests {
		f, err := Read(Source{"test.dc", []byte(test.dc)})
		require.NoError(t, err)
		panda, err := f.PandaHash()
		require.Equal(t, test.panda == 0, err != nil, "%s: %v", test.dc, err)
		if err == nil {
			require.Equal(t, test.panda, panda, test.dc)
		}
		astron, err := f.AstronHash()
		require.NoError(t, err, test.dc)
		require.Equal(t, test.astron, astron, test.dc)
	}
}

func TestRule154LegacyHashOfTheWholeLanguage(t *testing.T) {
	text, err := os.ReadFile("testdata/language.dc")
	require.NoError(t, err)
	f, err := Read(Source{"language.dc", text})
	require.NoError(t, err)
	hash, err := f.PandaHash()
	require.NoError(t, err)
	require.EqualValues(t, 0xfca4a39a, hash)
	_, err = f.AstronHash()
	require.EqualError(t, err, "dc: language.dc:26:3: Astron has one range for a type, not 3")
}

func TestRule154LegacyHashOfKeywords(t *testing.T) {
	hashes := func(text string) (panda, astron uint32, err error) {
		f, err := Read(Source{"test.dc", []byte(text)})
		require.NoError(t, err)
		panda, err = f.PandaHash()
		require.NoError(t, err)
		astron, err = f.AstronHash()
		return panda, astron, err
	}
	plain, same, err := hashes("dclass A { m() ram; };")
	require.NoError(t, err)
	require.Equal(t, plain, same)
	declared, same, err := hashes("keyword ram; dclass A { m() ram; };")
	require.NoError(t, err)
	require.NotEqual(t, plain, declared, "a historical keyword that is declared is a new one to Panda3D")
	require.Equal(t, plain, same, "and the old one to Astron")
	_, _, err = hashes("keyword p2p; dclass A { m() p2p; };")
	require.ErrorContains(t, err, "test.dc:1:29: Astron has no definite hash for the keyword p2p")
	_, _, err = hashes("typedef blob B; dclass A { m(B); };")
	require.ErrorContains(t, err, "a typedef of blob changes what Astron hashes for every other blob")
	a, _, err := hashes("dclass A { m(int8 x = 3) ram; };")
	require.NoError(t, err)
	b, _, err := hashes("import x dclass A { m(int8 y) ram; };")
	require.NoError(t, err)
	require.Equal(t, a, b, "defaults, names of arguments and imports do not count")
}
