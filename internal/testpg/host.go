package testpg

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Program is the path of one of PostgreSQL's programs, pg_dump for example.
func Program(name string) (string, error) {
	dir, err := findPrograms()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, name), nil
}

// findPrograms returns the folder that holds initdb and postgres.
func findPrograms() (string, error) {
	dirs := []string{os.Getenv("OTPD_PG_BIN")}
	installed, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	slices.SortFunc(installed, func(a, b string) int { return majorVersion(b) - majorVersion(a) })
	dirs = append(dirs, installed...)
	if initdb, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(initdb))
	}
	for _, dir := range dirs {
		if dir != "" && isProgram(filepath.Join(dir, "initdb")) && isProgram(filepath.Join(dir, "postgres")) {
			return dir, nil
		}
	}
	return "", ErrNoPostgres
}

// majorVersion reads the number in /usr/lib/postgresql/15/bin; 0 where there is none.
func majorVersion(dir string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	if err != nil {
		return 0
	}
	return n
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// credential is a user to run the server as.
type credential struct{ uid, gid uint32 }

// serverUser says whom to run the server as: nil for this process's own user, and somebody else under root,
// as which PostgreSQL refuses to run.
func serverUser() (*credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if errUID == nil && errGID == nil && uid != 0 {
			return &credential{uid: uint32(uid), gid: uint32(gid)}, nil
		}
	}
	return nil, fmt.Errorf("running as root, and there is neither a user postgres nor nobody to run PostgreSQL as")
}

const (
	socketName = "/.s.PGSQL.5432"
	// maxSocketPath is the length of sun_path on Linux (unix(7)) without its final zero byte, in bytes.
	maxSocketPath = 107
)

// makeDir makes the server's directory: in the temporary folder if the socket's path fits there and the server's
// user can get there, else in /tmp.
func makeDir(owner *credential) (string, error) {
	parent := os.TempDir()
	room := maxSocketPath - len(socketName) - len("/otpd-pg-4294967295")
	if len(parent) > room || (owner != nil && !othersMayEnter(parent)) {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, "otpd-pg-")
	if err != nil {
		return "", err
	}
	if owner != nil {
		err = os.Chown(dir, int(owner.uid), int(owner.gid))
	}
	return dir, err
}

// othersMayEnter tells whether each folder on the way to dir, and dir, can be passed by any user.
func othersMayEnter(dir string) bool {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil || !strings.HasPrefix(dir, "/") {
		return false
	}
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		if dir == "/" {
			return true
		}
	}
}

// childrenOf returns the child processes of pid, as Linux lists them (proc_pid_task(5)); elsewhere none.
func childrenOf(pid int) (children []int) {
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	for _, word := range strings.Fields(string(list)) {
		if child, err := strconv.Atoi(word); err == nil {
			children = append(children, child)
		}
	}
	return children
}

// goneLimit bounds the wait for killed processes, whose new parent may never look at them.
const goneLimit = 5 * time.Second

// waitGone returns when none of the processes, which were killed, runs any more.
func waitGone(pids []int) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for end := time.Now().Add(goneLimit); time.Now().Before(end); <-tick.C {
		if !slices.ContainsFunc(pids, runs) {
			return
		}
	}
}

// runs tells whether a process is there and no zombie.
func runs(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}
