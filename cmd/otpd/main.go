// Command otpd is the daemon and its tools in one binary: `otpd demo` shows a living world, `otpd run` serves one,
// `otpd replay` repeats a recorded run, `otpd bench` measures.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/otpd/otpd/cmd/otpd/internal/collector"
	"github.com/otpd/otpd/cmd/otpd/internal/daemon"
)

// cli is the command line; each command's Run is in the file of its name.
type cli struct {
	Run     runCmd     `cmd:"" help:"Start the daemon with all server roles."`
	Demo    demoCmd    `cmd:"" help:"Show a living world: every role, an AI and bots over real QUIC, in one process."`
	DemoAI  demoAICmd  `cmd:"" name:"demo-ai" hidden:"" help:"The demo's AI as a process of its own; for demo --split."`
	Replay  replayCmd  `cmd:"" help:"Run recorded inputs again and show the messages."`
	Bench   benchCmd   `cmd:"" help:"Measure whole paths."`
	Config  configCmd  `cmd:"" help:"Print or check the configuration."`
	Schema  schemaCmd  `cmd:"" help:"Print, compare and convert schemas and .dc files."`
	Migrate migrateCmd `cmd:"" help:"Make a database fit a game's schema."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

func main() { os.Exit(execute(os.Args[1:])) }

// execute runs one command line and returns the exit status: 0, 1 for a failure, 2 for a command line or
// configuration that is wrong.
func execute(args []string) int {
	var c cli
	options := []kong.Option{
		kong.Name("otpd"),
		kong.Description("A distributed-object state server for online worlds."),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	}
	if path, given := configFile(args); path != "" {
		resolver, err := daemon.FileResolver(path)
		if err != nil && (given || !os.IsNotExist(err)) {
			fmt.Fprintln(os.Stderr, "otpd:", err)
			return 2
		}
		if err == nil {
			options = append(options, kong.Resolvers(resolver))
		}
	}
	parser, err := kong.New(&c, options...)
	if err != nil {
		fmt.Fprintln(os.Stderr, "otpd:", err)
		return 2
	}
	k, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "otpd: %v\n", err)
		return 2
	}
	defer collector.Start()()
	if err := k.Run(); err != nil {
		fmt.Fprintf(os.Stderr, "otpd: %v\n", err)
		return exitStatus(err)
	}
	return 0
}

// configFile is the file of -c or --config, else the first that exists of the places where one is looked for. It is
// needed before the command line is parsed, because it answers for flags. Only `run` and `config check` read one.
func configFile(args []string) (path string, given bool) {
	if len(args) == 0 || args[0] != "run" && (args[0] != "config" || !slices.Contains(args, "check")) {
		return "", false
	}
	for i, a := range args {
		switch {
		case (a == "-c" || a == "--config") && i+1 < len(args):
			return args[i+1], true
		case strings.HasPrefix(a, "--config="):
			return strings.TrimPrefix(a, "--config="), true
		case strings.HasPrefix(a, "-c") && !strings.HasPrefix(a, "--") && len(a) > 2:
			return strings.TrimPrefix(a[2:], "="), true
		}
	}
	if p := os.Getenv("OTPD_CONFIG"); p != "" {
		return p, true
	}
	places := []string{"otpd.yaml"}
	if dir, err := os.UserConfigDir(); err == nil {
		places = append(places, filepath.Join(dir, "otpd", "otpd.yaml"))
	}
	for _, p := range append(places, "/etc/otpd/otpd.yaml") {
		if _, err := os.Stat(p); err == nil {
			return p, false
		}
	}
	return "", false
}

type versionCmd struct{}

// Run prints the module's version, the commit and the Go version.
func (versionCmd) Run() error {
	version, commit := "(devel)", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = " " + s.Value
			}
		}
	}
	fmt.Printf("otpd %s%s %s\n", version, commit, runtime.Version())
	return nil
}
