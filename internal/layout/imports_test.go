package layout

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/otpd/otpd"

// importMap says what each package may import of this module: package, colon, what it may import, and after # why.
// The first line that fits a package holds for it. "a/..." is a and everything below it; "*" is everything.
// A package may always import what is below it, and packages that fall under the line "internal/..." here; those
// can carry nothing past the map, since they know only what that line allows.
// Files of tests are exempt.
const importMap = `
fields              :                                   # value types are vocabulary for everybody
do                  : fields                            # ids, channels, classes, schema: no message, no role
do/dc               : do fields                         # reads .dc files into a schema, and writes its Go
wire                : do fields                         # the protocol in one place, for both ends
internal/repository : wire do fields                    # the object repository that ai and client share: a pure core, no transport, no role
internal/link       : wire do fields                    # the client link's Conn: frames, no session
messagedirector     : wire do fields                    # routes by channel: knows no game and no role
stateserver/...     : messagedirector wire do fields    # siblings meet on channels, never by import
clientagent/...     : messagedirector internal/link wire do fields                  # siblings meet on channels, never by import
database/databasetest : database internal/testpg do fields                          # the suite over all backends
database/...        : messagedirector wire do fields    # siblings meet on channels, never by import
ai                  : internal/repository messagedirector wire do fields            # joins the cluster's bus; no server role
ai/jobs             : ai wire do fields                 # durable jobs, as a game could have written them
client              : internal/repository internal/link wire do fields              # a game client carries no bus and no server
uberdog/...         : ai internal/repository messagedirector wire do fields         # global objects, served by an AI process
examples/...        : do ai ai/jobs client uberdog/...  # a game needs only what games import
internal/testpg     :                                   # starts a PostgreSQL for tests: exempt, nobody's dependency
internal/testpg/cmd/... : internal/testpg               # runs a command beside one
internal/sim/...    : *                                 # simulates the whole cluster in one goroutine
internal/testcluster : *                                # every role in one process, for tests alone: nobody's dependency
internal/...        : wire do fields                    # what several roles share; no role
cmd/...             : *                                 # the only place where roles are wired together
`

// externalMap says which packages may import a module from outside: what is not named here is free.
const externalMap = `
github.com/nats-io        : messagedirector/... cmd/... internal/sim/...               # one carrier between processes, known to one package
github.com/quic-go        : internal/link/... clientagent/... client/... cmd/... internal/sim/... # the client link only
github.com/jackc/pgx      : database/... internal/testpg cmd/...                       # SQL stays behind database.Backend
modernc.org/sqlite        : database/... cmd/...                                       # SQL stays behind database.Backend
github.com/alecthomas/kong : cmd/...                                                   # flags are the command's
github.com/prometheus     : cmd/... internal/metrics/...                               # cores count in plain integers
`

// allowedOutside lists, for the packages at the bottom, all that they may import from outside the standard library.
const allowedOutside = `
fields : github.com/vmihailenco/msgpack                 # imports only the standard library and msgpack
do     : github.com/google/uuid                         # the DoID is a UUID
wire   :                                                # nothing between the bytes and us
`

// never lists what no change of importMap may bring about, over any number of steps.
const never = `
client              : messagedirector                   # a game client carries no bus
ai                  : stateserver clientagent database  # an AI needs no server role
client              : stateserver clientagent database
internal/repository : stateserver clientagent database messagedirector internal/link
stateserver         : clientagent database ai client uberdog
clientagent         : stateserver database ai client uberdog
database            : stateserver clientagent ai client uberdog
messagedirector     : stateserver clientagent database ai client uberdog internal/repository
wire                : messagedirector
do                  : wire
fields              : do
`

// rule is one line of the texts above.
type rule struct {
	pattern string
	names   []string
	reason  string
}

func parseRules(t *testing.T, text string) []rule {
	t.Helper()
	var rules []rule
	for line := range strings.Lines(text) {
		line, reason, _ := strings.Cut(strings.TrimSpace(line), "#")
		pattern, names, ok := strings.Cut(line, ":")
		if strings.TrimSpace(line) == "" {
			continue
		}
		require.True(t, ok, "rule without a colon: %s", line)
		rules = append(rules, rule{strings.TrimSpace(pattern), strings.Fields(names), strings.TrimSpace(reason)})
	}
	return rules
}

// fits tells whether a package, by its path below the module, is meant by a pattern.
func fits(pattern, path string) bool {
	if pattern == "*" {
		return true
	}
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == root || strings.HasPrefix(path, root+"/")
	}
	return path == pattern
}

func ruleFor(rules []rule, path string) (rule, bool) {
	i := slices.IndexFunc(rules, func(r rule) bool { return fits(r.pattern, path) })
	if i < 0 {
		return rule{}, false
	}
	return rules[i], true
}

// brokenImports returns a line for each import within the module that the map does not allow.
func brokenImports(rules []rule, packages map[string]*pkg) (broken []string) {
	for _, path := range sortedPaths(packages) {
		r, ok := ruleFor(rules, path)
		if !ok {
			broken = append(broken, path+": not in the import map; add a line with a reason")
			continue
		}
		for _, to := range packages[path].inside {
			if !mayImport(rules, r, path, to) {
				broken = append(broken, path+" imports "+to+", but may import only ["+strings.Join(r.names, " ")+"]: "+r.reason)
			}
		}
	}
	return broken
}

func mayImport(rules []rule, r rule, path, to string) bool {
	if strings.HasPrefix(to, path+"/") {
		return true
	}
	root := strings.TrimSuffix(r.pattern, "/...")
	if root != "internal" && root != "examples" && root != "cmd" && (to == root || strings.HasPrefix(to, root+"/")) {
		return true
	}
	if root == "examples" && strings.HasPrefix(to, "examples/") {
		return true
	}
	if target, ok := ruleFor(rules, to); ok && target.pattern == "internal/..." {
		return true
	}
	return slices.ContainsFunc(r.names, func(name string) bool { return fits(name, to) })
}

func brokenExternals(free, closed []rule, packages map[string]*pkg) (broken []string) {
	for _, path := range sortedPaths(packages) {
		for _, to := range packages[path].outside {
			for _, r := range free {
				if strings.HasPrefix(to, r.pattern) && !slices.ContainsFunc(r.names, func(n string) bool { return fits(n, path) }) {
					broken = append(broken, path+" imports "+to+", which is for ["+strings.Join(r.names, " ")+"]: "+r.reason)
				}
			}
			r, ok := ruleFor(closed, path)
			if ok && !slices.ContainsFunc(r.names, func(n string) bool { return strings.HasPrefix(to, n) }) {
				broken = append(broken, path+" imports "+to+", but may import only ["+strings.Join(r.names, " ")+"] from outside: "+r.reason)
			}
		}
	}
	return broken
}

// reach returns the packages of the module that path imports, over any number of steps.
func reach(packages map[string]*pkg, path string) map[string]bool {
	seen := map[string]bool{}
	todo := []string{path}
	for len(todo) > 0 {
		p := packages[todo[0]]
		todo = todo[1:]
		if p == nil {
			continue
		}
		for _, to := range p.inside {
			if !seen[to] {
				seen[to] = true
				todo = append(todo, to)
			}
		}
	}
	return seen
}

func brokenNever(rules []rule, packages map[string]*pkg) (broken []string) {
	for _, r := range rules {
		got := reach(packages, r.pattern)
		for _, name := range r.names {
			if got[name] {
				broken = append(broken, r.pattern+" reaches "+name+": "+r.reason)
			}
		}
	}
	return broken
}

func TestImportsFollowTheMap(t *testing.T) {
	packages := readPackages(t)
	require.Empty(t, brokenImports(parseRules(t, importMap), packages))
	require.Empty(t, brokenExternals(parseRules(t, externalMap), parseRules(t, allowedOutside), packages))
	require.Empty(t, brokenNever(parseRules(t, never), packages))
}

func TestMapRefusesWhatItShould(t *testing.T) {
	rules := parseRules(t, importMap)
	for _, c := range []struct {
		path, to string
		ok       bool
	}{
		{"stateserver", "clientagent", false},
		{"stateserver", "database", false},
		{"stateserver", "messagedirector", true},
		{"client", "messagedirector", false},
		{"client", "internal/link", true},
		{"client", "internal/repository", true},
		{"ai", "stateserver", false},
		{"ai", "messagedirector", true},
		{"uberdog", "ai", true},
		{"messagedirector", "ai", false},
		{"fields", "do", false},
		{"do", "wire", false},
		{"do", "fields", true},
		{"wire", "internal/scenario", true},
		{"internal/scenario", "stateserver", false},
		{"internal/repository", "messagedirector", false},
		{"internal/sim", "stateserver", true},
		{"cmd/otpd", "stateserver", true},
		{"examples/tavern", "stateserver", false},
		{"examples/tavern", "wire", false},
		{"examples/tavern/ai", "examples/tavern", true},
		{"examples/tavern", "uberdog", true},
		{"examples/tavern", "uberdog/auth", true},
		{"database", "database/sql", true},
		{"database/databasetest", "database", true},
		{"stateserver", "internal/repository", false},
		{"elsewhere", "do", false},
	} {
		broken := brokenImports(rules, map[string]*pkg{c.path: {inside: []string{c.to}}})
		require.Equal(t, c.ok, len(broken) == 0, "%s imports %s: %v", c.path, c.to, broken)
	}
	over := map[string]*pkg{"client": {inside: []string{"internal/x"}}, "internal/x": {inside: []string{"messagedirector"}}}
	require.Len(t, brokenNever(parseRules(t, never), over), 1)
	outside := map[string]*pkg{"fields": {outside: []string{"github.com/google/uuid"}}, "ai": {outside: []string{"github.com/nats-io/nats.go"}}}
	require.Len(t, brokenExternals(parseRules(t, externalMap), parseRules(t, allowedOutside), outside), 2)
}
