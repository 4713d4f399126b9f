package scenario

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Command is one line of a scenario, with the lines that belong to it.
type Command struct {
	Name string
	Args []Arg
	Sub  []Command // indented lines
	Line int
}

// Arg is a word of a command: a key with a value, or a value alone.
type Arg struct{ Key, Value string }

// Word is the n-th value without a key, "" if there are not so many.
func (c *Command) Word(n int) string {
	words := c.Words()
	if n >= len(words) {
		return ""
	}
	return words[n]
}

// Words are the values without a key.
func (c *Command) Words() (words []string) {
	for _, a := range c.Args {
		if a.Key == "" {
			words = append(words, a.Value)
		}
	}
	return words
}

// Get is the value of a key.
func (c *Command) Get(key string) (string, bool) {
	for _, a := range c.Args {
		if a.Key == key {
			return a.Value, true
		}
	}
	return "", false
}

// Has reports whether the word stands in the command, alone or as a key.
func (c *Command) Has(word string) bool {
	for _, a := range c.Args {
		if a.Key == word || a.Key == "" && a.Value == word {
			return true
		}
	}
	return false
}

// block is commands with what they are expected to cause.
type block struct {
	before   []string // comments and empty lines
	commands []string
	expected string
	line     int
	golden   bool // it has a line of dashes
}

// dashes part commands from output.
const dashes = "----"

// Walk runs the commands of a file through run and compares what it returns with the file. With rewrite it writes the
// file anew. An error of run is output, too: "error: ...".
func Walk(t testing.TB, path string, rewrite bool, run func(Command) (string, error)) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blocks := parseFile(string(text))
	for i := range blocks {
		b := &blocks[i]
		if len(b.commands) == 0 {
			continue
		}
		got, err := b.run(run)
		if err != nil {
			t.Fatalf("%s:%d: %v", path, b.line, err)
		}
		if rewrite {
			b.expected, b.golden = got, true
			continue
		}
		if got != b.expected {
			t.Fatalf("%s:%d: %s\nwant:\n%s\ngot:\n%s", path, b.line, strings.Join(b.commands, "\n"), b.expected, got)
		}
	}
	if rewrite {
		if err := os.WriteFile(path, []byte(formatFile(blocks)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// run is the output of the block's commands.
func (b *block) run(run func(Command) (string, error)) (string, error) {
	commands, err := ParseCommands(b.commands, b.line)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, c := range commands {
		text, err := run(c)
		if err != nil {
			text += "error: " + err.Error() + "\n"
		}
		out.WriteString(text)
	}
	if out.Len() == 0 {
		return "", nil
	}
	return strings.TrimRight(out.String(), "\n") + "\n", nil
}

func parseFile(text string) (blocks []block) {
	var b block
	flush := func() {
		if len(b.before)+len(b.commands) > 0 {
			blocks = append(blocks, b)
		}
		b = block{}
	}
	output := false
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		switch {
		case output && line != "":
			b.expected += line + "\n"
		case output:
			output = false
			flush()
		case line == dashes && len(b.commands) > 0:
			output, b.golden = true, true
		case strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "":
			if len(b.commands) > 0 {
				flush()
			}
			b.before = append(b.before, line)
		default:
			if len(b.commands) == 0 {
				b.line = i + 1
			}
			b.commands = append(b.commands, line)
		}
	}
	flush()
	return blocks
}

func formatFile(blocks []block) string {
	var out strings.Builder
	for _, b := range blocks {
		for _, l := range b.before {
			out.WriteString(l + "\n")
		}
		if len(b.commands) == 0 {
			continue
		}
		for _, l := range b.commands {
			out.WriteString(l + "\n")
		}
		if b.golden {
			out.WriteString(dashes + "\n" + b.expected + "\n")
		}
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

// ParseCommands reads lines, of which the first has the number given.
func ParseCommands(lines []string, number int) (commands []Command, err error) {
	for i, line := range lines {
		c, err := parseCommand(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number+i, err)
		}
		c.Line = number + i
		if strings.HasPrefix(line, " ") && len(commands) > 0 {
			last := &commands[len(commands)-1]
			last.Sub = append(last.Sub, c)
			continue
		}
		commands = append(commands, c)
	}
	return commands, nil
}

func parseCommand(line string) (Command, error) {
	var c Command
	for rest := strings.TrimSpace(line); rest != ""; {
		word, after, err := nextWord(rest)
		if err != nil {
			return c, err
		}
		rest = strings.TrimLeft(after, " ")
		if c.Name == "" {
			c.Name = word
			continue
		}
		c.Args = append(c.Args, parseArg(word))
	}
	return c, nil
}

// parseArg parts a key from its value; a value that begins with a quote or bracket has no key.
func parseArg(word string) Arg {
	key, value, ok := strings.Cut(word, "=")
	if !ok || strings.ContainsAny(key, `"{[`) {
		return Arg{Value: word}
	}
	return Arg{Key: key, Value: value}
}

// nextWord cuts at the first space outside of quotes and brackets.
func nextWord(s string) (word, rest string, err error) {
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[' || c == '(':
			depth++
		case c == '}' || c == ']' || c == ')':
			depth--
		case c == ' ' && depth == 0:
			return s[:i], s[i:], nil
		}
	}
	if quoted || depth != 0 {
		return "", "", fmt.Errorf("open quote or bracket in %q", s)
	}
	return s, "", nil
}
