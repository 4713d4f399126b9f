package testpg

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// watchScript waits until its standard input ends, which happens when the process that holds the other end closes
// it or dies, however it dies. Then it ends the server of directory $1, if one runs there, and removes the directory.
// The server is known by its working directory, which is its data directory, so that a process which got
// the number of a dead server is left alone. A server that was killed left its lock file behind, whose seventh line
// ends with the number of its System V shared memory segment; that goes, too.
const watchScript = `
trap '' HUP INT QUIT TERM
read -r _
tries=0
while [ "$tries" -lt 500 ]; do
	pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) || break
	[ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$1/data" ] || break
	if [ "$tries" -lt 250 ]; then kill -QUIT "$pid"; else kill -KILL "$pid"; fi
	tries=$((tries + 1))
	sleep 0.02
done
segment=$(sed -n '7s/.* //p' "$1/data/postmaster.pid" 2>/dev/null)
[ -z "$segment" ] || ipcrm -m "$segment" 2>/dev/null
rm -rf -- "$1" || { sleep 0.2; rm -rf -- "$1"; }
`

// watchdog is a shell in a process group of its own that cleans up a server's directory.
type watchdog struct {
	shell *exec.Cmd
	held  io.WriteCloser // the pipe whose end the shell waits for
}

func startWatchdog(dir string) (*watchdog, error) {
	shell := exec.Command("/bin/sh", "-c", watchScript, "otpd-pg-watchdog", dir)
	shell.Dir = "/"
	shell.Env = []string{"PATH=" + os.Getenv("PATH")}
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	held, err := shell.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := shell.Start(); err != nil {
		return nil, fmt.Errorf("start watchdog: %w", err)
	}
	return &watchdog{shell: shell, held: held}, nil
}

// end lets the watchdog clean up, and returns when it has.
func (w *watchdog) end() error {
	if err := w.held.Close(); err != nil {
		return err
	}
	return w.shell.Wait()
}
