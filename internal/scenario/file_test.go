package scenario

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const story = `# A story.

say hello who="the \"big\" world" at={X:1 Y:2}
  loudly twice
whisper hi
----
say hello

# Its end.

fail
----
error: boom
`

func echo(c Command) (string, error) {
	switch c.Name {
	case "say":
		return "say " + c.Word(0) + "\n", nil
	case "fail":
		return "", os.ErrInvalid
	}
	return "", nil
}

func TestWalk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "story.txt")
	require.NoError(t, os.WriteFile(path, []byte(story), 0o600))
	Walk(t, path, true, echo)
	Walk(t, path, false, echo)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), "error: invalid argument\n")
	require.Contains(t, string(text), "whisper hi\n----\nsay hello\n\n# Its end.\n")
}

func TestParseCommands(t *testing.T) {
	commands, err := ParseCommands([]string{`say hello who="the \"big\" world" at={X:1 Y:2}`, "  loudly twice", "whisper"}, 7)
	require.NoError(t, err)
	require.Len(t, commands, 2)
	c := commands[0]
	require.Equal(t, []string{"hello"}, c.Words())
	who, ok := c.Get("who")
	require.True(t, ok)
	require.Equal(t, `"the \"big\" world"`, who)
	at, _ := c.Get("at")
	require.Equal(t, "{X:1 Y:2}", at)
	require.Equal(t, "loudly", c.Sub[0].Name)
	require.True(t, c.Sub[0].Has("twice"))
	require.Equal(t, 9, commands[1].Line)

	_, err = ParseCommands([]string{`say "hello`}, 1)
	require.ErrorContains(t, err, "line 1")
}

func TestNames(t *testing.T) {
	w := NewWorld(nil)
	w.Place("far", 9)
	require.Equal(t, uint16(9), uint16(w.ID("far").Partition()))
	require.Equal(t, w.ID("far"), w.ID("far"))
	require.Equal(t, uint64(4670), w.ID("#4670").Number())
	for name, want := range map[string]string{
		"ai1": "ai", "client2": "session", "agent1": "control", "state1": "control", "database": "control", "street": "object",
		"location street/20": "location", "children street": "children", "none": "none",
	} {
		c, err := w.Channel(name)
		require.NoError(t, err)
		require.Equal(t, want, c.Kind.String(), name)
	}
	_, err := w.Channel("record x")
	require.Error(t, err)
}
