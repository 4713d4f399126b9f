package jobs

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
)

// Errors of this package.
var (
	// ErrName says that a job's name is none: it is 1 to 40 small letters, digits, dots, dashes and underscores.
	ErrName = errors.New("not a name of a job")
	// ErrKey says that a key is longer than 150 bytes.
	ErrKey = errors.New("key is too long")
	// ErrArgs says that arguments do not fit: they cannot be written as JSON, or are longer than 64 KiB, or are not what the
	// handler takes.
	ErrArgs = errors.New("arguments do not fit")
	// ErrPermanent, wrapped by what a handler returns, says that another attempt would fail, too: the job has failed.
	ErrPermanent = errors.New("will not work")
	// ErrLease is the cause of the end of a handler's context when the job's lease could not be prolonged.
	ErrLease = errors.New("the lease of the job was lost")
	// ErrConfig is wrapped by errors about a Config, a Policy or a handler.
	ErrConfig = errors.New("wrong configuration")
)

const (
	maxKey   = 150
	maxArgs  = 1 << 16
	maxError = 1000
)

// Job is a job as the database has it: one row of the table job. It is never activated.
type Job struct {
	do.Object
	Key     string    `do:"required,db,unique,maxlen=200"` // name, slash, the key that it was added with
	Name    string    `do:"required,db,max=40"`
	State   string    `do:"required,db,index,max=60"` // name, slash, state; of done ones with the day
	Args    string    `do:"required,db,maxlen=65536"` // JSON
	Created time.Time `do:"required,db"`
	Due     time.Time `do:"required,db"` // when it may be taken; of a taken one the end of the lease
	Tries   uint32    `do:"required,db"` // how often it was taken
	Holder  do.ID     `do:"required,db"` // the worker that took it last
	Error   string    `do:"required,db,maxlen=1000"`
}

// Register makes the class of jobs known to a game's registry.
func Register(r *do.Registry) error { return r.Class(Job{}) }

// State is where a job is.
type State string

// The states.
const (
	Waiting State = "waiting" // for its time, or for a worker
	Taken   State = "taken"
	Retried State = "retry" // it was tried, and waits to be tried again
	Failed  State = "failed"
	Done    State = "done" // the day of it follows, so that old ones are found
)

// in is the value of Job.State.
func (s State) in(name string) string { return name + "/" + string(s) }

// doneOn is the value of Job.State of those that were done on a day.
func doneOn(name string, day time.Time) string {
	return Done.in(name) + "/" + day.UTC().Format(time.DateOnly)
}

// stateOf takes a Job.State apart.
func stateOf(state string) State {
	parts := strings.SplitN(state, "/", 3)
	if len(parts) < 2 {
		return ""
	}
	return State(parts[1])
}

// Info is what there is to know of a job.
type Info struct {
	ID      do.ID
	Name    string
	Key     string // as it was added
	State   State
	Args    string // JSON
	Created time.Time
	Due     time.Time // when it may be taken; of a taken one the end of the lease; of a done one when it was done
	Tries   int
	Error   string // of the last try that failed
}

func infoOf(row ai.Row[Job]) Info {
	o := row.Object
	return Info{
		ID: row.ID, Name: o.Name, Key: strings.TrimPrefix(o.Key, o.Name+"/"), State: stateOf(o.State), Args: o.Args,
		Created: o.Created, Due: o.Due, Tries: int(o.Tries), Error: o.Error,
	}
}

var nameForm = regexp.MustCompile(`^[a-z0-9._-]{1,40}$`)

func checkName(name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("jobs: %q: %w", name, ErrName)
	}
	return nil
}

// Added is what Add did.
type Added struct {
	ID  do.ID
	New bool // false: a job of that name and key was there, done or not, and is left as it is
}

// Add hands a job over, and returns when the database has it. args are what the handler takes, to be written as JSON. The
// key names the job among those of its name: of two with one key only the first is done. An empty key is one that
// nobody has; then an Add of unknown outcome cannot be repeated.
//
// It is a save point of the handler that calls it: what the handler changes after it is not one with the job. So the job
// comes first, and its handler asks whether it is still wanted.
func Add[A any](ctx context.Context, r *ai.Repository, name, key string, args A) (Added, error) {
	return AddAt(ctx, r, name, key, args, r.Now())
}

// AddAt is Add of a job that is not to be done before a time.
func AddAt[A any](ctx context.Context, r *ai.Repository, name, key string, args A, at time.Time) (Added, error) {
	if err := checkName(name); err != nil {
		return Added{}, err
	}
	if key == "" {
		key = do.NewID(1, r.Now().UnixMilli(), random()).String()
	}
	if len(key) > maxKey {
		return Added{}, fmt.Errorf("jobs: add %s: key of %d bytes: %w", name, len(key), ErrKey)
	}
	text, err := json.Marshal(args)
	if err == nil && len(text) > maxArgs {
		err = fmt.Errorf("%d bytes", len(text))
	}
	if err != nil {
		return Added{}, fmt.Errorf("jobs: add %s: %w: %w", name, ErrArgs, err)
	}
	o := do.New[Job]()
	o.Key, o.Name, o.State, o.Args = name+"/"+key, name, Waiting.in(name), string(text)
	o.Created, o.Due = stamp(r.Now()), stamp(at)
	id, err := r.CreateStored(ctx, o, ai.Place{ID: jobID(at)})
	switch {
	case err == nil:
		return Added{ID: id, New: true}, nil
	case !errors.Is(err, ai.CodeUnique):
		return Added{}, fmt.Errorf("jobs: add %s: %w", name, err)
	}
	old, err := Find(ctx, r, name, key)
	if err != nil {
		return Added{}, err
	}
	return Added{ID: old.ID}, nil
}

// jobID makes the id of a job. Ids of one partition sort by the time in them, and rows are found in the order of their
// ids: so of those that wait the database gives those that are due first, and one that is due in a year is in nobody's
// way.
func jobID(due time.Time) do.ID { return do.NewID(1, max(1, due.UnixMilli()), random()) }

// stamp is a time as the database keeps it.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func random() uint64 {
	var b [8]byte
	// Read never fails: it ends the process when the system has no randomness.
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

// Find is the job of a name and key; ai.CodeNoObject: there is none, or it was done so long ago that it was forgotten.
func Find(ctx context.Context, r *ai.Repository, name, key string) (Info, error) {
	rows, err := ai.Query[Job](ctx, r, "Key", name+"/"+key, 1)
	switch {
	case err != nil:
		return Info{}, fmt.Errorf("jobs: find %s/%s: %w", name, key, err)
	case len(rows) == 0:
		return Info{}, fmt.Errorf("jobs: find %s/%s: %w", name, key, &ai.Error{Code: ai.CodeNoObject})
	}
	return infoOf(rows[0]), nil
}

// List are jobs of a name that are in a state, at most limit (0: 100, at most 1,000), those that were due first in front.
// Done ones are those of today (UTC).
func List(ctx context.Context, r *ai.Repository, name string, s State, limit int) ([]Info, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	state := s.in(name)
	if s == Done {
		state = doneOn(name, r.Now())
	}
	rows, err := ai.Query[Job](ctx, r, "State", state, limit)
	if err != nil {
		return nil, fmt.Errorf("jobs: list %s: %w", state, err)
	}
	var out []Info
	for _, row := range rows {
		out = append(out, infoOf(row))
	}
	return out, nil
}

// Retry makes a failed job wait again, with all its attempts. For a job in another state it is an error with
// ai.CodeConflict.
func Retry(ctx context.Context, r *ai.Repository, id do.ID) error {
	row, err := ai.Load[Job](ctx, r, id)
	if err == nil && stateOf(row.Object.State) != Failed {
		err = &ai.Error{Code: ai.CodeConflict, Text: "it is " + row.Object.State}
	}
	if err == nil {
		row.Object.State, row.Object.Tries, row.Object.Due = Waiting.in(row.Object.Name), 0, stamp(r.Now())
		_, err = ai.Store(ctx, r, id, row.Object, row.Version)
	}
	if err != nil {
		return fmt.Errorf("jobs: retry %s: %w", id, err)
	}
	return nil
}
