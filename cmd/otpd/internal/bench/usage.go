package bench

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Usage is what a process has used since it began.
type Usage struct {
	Unix   int64   `json:"unix"`   // when, nanoseconds
	User   float64 `json:"user_s"` // CPU seconds in the program
	System float64 `json:"sys_s"`  // CPU seconds in the kernel
	RSS    uint64  `json:"rss"`    // bytes in memory; 0: the system does not say
	Heap   uint64  `json:"heap"`   // bytes of objects on Go's heap
	Allocs uint64  `json:"allocs"` // objects allocated
	GCs    uint64  `json:"gcs"`    // garbage collections
	Procs  int     `json:"procs"`  // GOMAXPROCS
	Gos    int     `json:"goroutines"`
	Joined int     `json:"clients"` // sessions, of a server
}

// CPU is user and system seconds together.
func (u Usage) CPU() float64 { return u.User + u.System }

// ownUsage is this process's.
func ownUsage() Usage {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // fails only for a bad argument
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/allocs:objects"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(samples)
	return Usage{
		Unix: time.Now().UnixNano(), User: seconds(r.Utime), System: seconds(r.Stime), RSS: residentBytes(),
		Heap: samples[0].Value.Uint64(), Allocs: samples[1].Value.Uint64(), GCs: samples[2].Value.Uint64(),
		Procs: runtime.GOMAXPROCS(0), Gos: runtime.NumGoroutine(),
	}
}

// residentBytes is read where Linux has it.
func residentBytes() uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	f := strings.Fields(string(b))
	if err != nil || len(f) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(f[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}

// machineBusy is CPU seconds that all processes of the machine used; ok is false where the system does not say.
func machineBusy() (seconds float64, ok bool) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, false
	}
	line, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal ..., in hundredths of a second
	if len(f) < 8 || f[0] != "cpu" {
		return 0, false
	}
	for _, i := range []int{1, 2, 3, 6, 7} {
		n, err := strconv.ParseUint(f[i], 10, 64)
		if err != nil {
			return 0, false
		}
		seconds += float64(n) / 100
	}
	return seconds, true
}

// Machine is where a figure was taken.
type Machine struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	Kernel string `json:"kernel,omitempty"`
	CPU    string `json:"cpu,omitempty"`
	Cores  int    `json:"cores"`
	Go     string `json:"go"`
}

// thisMachine is the one that we run on.
func thisMachine() Machine {
	m := Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU(), Go: runtime.Version()}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(b))
	}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	return m
}

// revision may be set by the linker, for builds that the go command does not stamp.
var revision string

// commit is the revision that this program was built from, with + behind it if the tree had changes; "unknown" when
// the build did not stamp it.
func commit() string {
	if revision != "" {
		return revision
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	stamped, changed := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			stamped = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+"
		}
	}
	return stamped + changed
}
