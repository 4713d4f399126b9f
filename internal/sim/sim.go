package sim

import (
	"errors"
	"fmt"
	"strings"
)

// Options say what a run is. The zero value of each means its default.
type Options struct {
	// Steps is how many messages and frames are handled before the actors stop; default 2,500.
	Steps int
	// Tail is how many lines of the trace a failure shows; default 60.
	Tail int
	// Only keeps, of the trace, the lines with one of these words in them: names of objects, for example.
	Only []string
	// Calm leaves out what breaks links and ends processes: no lost link, no death, no hanging up, no lost datagram.
	Calm bool
	// Whole leaves out lost links only.
	Whole bool
}

// ErrInvariant is wrapped by the error of a run in which something did not hold.
var ErrInvariant = errors.New("an invariant does not hold")

// Report says what a run met.
type Report struct {
	Seed     uint64
	Steps    int      // messages and frames that were handled
	Hash     [32]byte // of everything that happened, in its order
	Counters Counters
	Problems []string
	Trace    []string // the last lines, of a run with problems
}

// Counters are situations that a run met.
type Counters struct {
	MovesInOpening       int // an object moved from or to a zone that was being opened
	CrossPartitionMoves  int // to a parent in another partition
	PendingRemoved       int // a handle was removed before its opening was done
	PendingAltered       int // a handle was altered before its opening was done
	Reopened             int // a handle was opened where one was just closed
	OwnerChangesInFlight int // the owner changed again, or while a set of the old one was under way
	AIChangesInFlight    int // the same of AIs
	CyclesTried          int // moves that would make an object its own ancestor, over several partitions
	ChildrenFirst        int // children that were made before their parent
	WildSets             int // sets of fields that were drawn at random
	Declared             int // objects that were declared to a client
	Granted              int // fields that were granted to a client
	Reviewed             int // values of clients that an AI reviewed
	AliasesReused        int
	DatagramsLost        int
	LinksLost            int
	StateLinksLost       int // among them, between States
	MessagesLost         int
	AIsDied              int
	AIsCast              int // declared dead while they lived
	AIsCutOff            int // came back before they were
	DaemonsDied          int // all servers at once
	Rejoined             int // AIs that came back
	Restored             int // times in which an AI put back what was gone
	PutBack              int // things that it put back
	Queries              int // questions about objects
	AIsOpened            int // interests of AIs that were judged when they were done
	Borrowed             int // lives of a diary with another AI
	LastWords            int // written by AIs of an object that went
	LastWordsAfar        int // among them, by AIs that were cut off or came back
	Woken                int // handlers that had begun before their AI came back
	AgentsDied           int
	StatesDied           int
	ClockJumps           int
	Redials              int // sessions of a client after its first
	Ejects               int // of clients that misbehaved or did not read
	Refused              int // messages that a State refused
	CallsAnswered        int
	CallsFailed          int
	Repairs              int // views that agents found to be wrong
	Activated            int // objects of the database that came to life
	Unique               int // sets of unique values that were accepted
	SwapsDone            int // bundles over two objects
	SwapsInDoubt         int // those that were refused because a State had not said what it has
	DatabaseAway         int
	DatabaseRefuses      int // times in which it took no writes
	Followed             int // handles that follow an object
	OuterOpened          int // of these, around parents above, whose DONE was judged
	OuterSeen            int // objects that entered because they are around a parent above
	CellsCrossed         int // by objects that are followed, on a grid
	GridsChanged         int // while somebody followed over them
	EdgesChanged         int
	ThroughDoors         int // moves of clients out of or into a zone with edges
	AutosOpened          int // auto zones that opened by themselves
	AutosAltered         int // other auto zones while open
	Permitted            int // zones that an AI permitted a session to open
	PermitsRevoked       int
	GrantsRevoked        int // fields that may be set no more
	OpenedByRight        int // interests that not everybody may have
	InterestsDenied      int // for lack of a permission
	TradesCommitted      int // transactions over several objects
	TradesRefused        int
	TradesUnknown        int // who asked was not told at last
	TradesBroadcast      int // effects on one object
	TradesInDoubt        int // under way when their coordinator, a State or an AI of theirs died
	DatabasesDied        int
	WaysRefused          int // moves and positions of clients that grid or edges do not let through
}

// Table is the counters by name, in the order in which people read them.
func (c *Counters) Table() []Count {
	return []Count{
		{"moves during an opening", c.MovesInOpening, true},
		{"cross-partition moves", c.CrossPartitionMoves, true},
		{"handles removed while pending", c.PendingRemoved, true},
		{"handles altered while pending", c.PendingAltered, true},
		{"handles opened again", c.Reopened, true},
		{"AI changes in flight", c.AIChangesInFlight, true},
		{"cycles tried across partitions", c.CyclesTried, true},
		{"children before their parents", c.ChildrenFirst, true},
		{"sets of random fields", c.WildSets, true},
		{"declared objects", c.Declared, true},
		{"granted fields", c.Granted, true},
		{"reviewed values", c.Reviewed, true},
		{"clock jumps", c.ClockJumps, true},
		{"agents that died", c.AgentsDied, true},
		{"States that died", c.StatesDied, true},
		{"owner changes in flight", c.OwnerChangesInFlight, true},
		{"aliases used again", c.AliasesReused, true},
		{"lost datagrams", c.DatagramsLost, true},
		{"lost links", c.LinksLost, true},
		{"lost links of States", c.StateLinksLost, true},
		{"lost messages", c.MessagesLost, true},
		{"AIs that died", c.AIsDied, true},
		{"AIs declared dead that came back", c.AIsCast, true},
		{"AIs cut off that came back", c.AIsCutOff, true},
		{"daemons that died", c.DaemonsDied, true},
		{"AIs that joined again", c.Rejoined, true},
		{"restores", c.Restored, true},
		{"things put back", c.PutBack, true},
		{"last words", c.LastWords, true},
		{"diaries borrowed", c.Borrowed, true},
		{"questions about objects", c.Queries, true},
		{"judged interests of AIs", c.AIsOpened, true},
		{"last words of lives that were lost", c.LastWordsAfar, true},
		{"handlers older than their link", c.Woken, true},
		{"sessions dialled again", c.Redials, true},
		{"ejected clients", c.Ejects, true},
		{"refused messages", c.Refused, true},
		{"calls answered", c.CallsAnswered, true},
		{"calls failed", c.CallsFailed, true},
		{"repaired views", c.Repairs, false},
		{"activated objects", c.Activated, true},
		{"unique values set", c.Unique, true},
		{"bundles over two objects", c.SwapsDone, true},
		{"bundles refused in doubt", c.SwapsInDoubt, true},
		{"failures of the database", c.DatabaseAway, true},
		{"times without writes", c.DatabaseRefuses, true},
		{"handles that follow", c.Followed, true},
		{"outer follows judged on the way", c.OuterOpened, true},
		{"objects seen around parents above", c.OuterSeen, true},
		{"cells crossed while followed", c.CellsCrossed, true},
		{"grids changed while followed over", c.GridsChanged, true},
		{"edges changed while followed over", c.EdgesChanged, true},
		{"moves through edges", c.ThroughDoors, true},
		{"auto zones opened", c.AutosOpened, true},
		{"auto zones altered", c.AutosAltered, true},
		{"permits", c.Permitted, true},
		{"permits taken back", c.PermitsRevoked, true},
		{"grants taken back", c.GrantsRevoked, true},
		{"interests by right", c.OpenedByRight, true},
		{"interests denied", c.InterestsDenied, true},
		{"transactions committed", c.TradesCommitted, true},
		{"transactions refused", c.TradesRefused, true},
		{"transactions unknown", c.TradesUnknown, false},
		{"transactions broadcast", c.TradesBroadcast, true},
		{"transactions in doubt at a crash", c.TradesInDoubt, true},
		{"database roles that died", c.DatabasesDied, true},
		{"ways and positions refused", c.WaysRefused, true},
	}
}

// Count is one counter.
type Count struct {
	Name string
	N    int
	Must bool // zero over several hundred seeds means that the simulation does not do its work
}

// Add sums up runs.
func (c *Counters) Add(o Counters) {
	c.MovesInOpening += o.MovesInOpening
	c.CrossPartitionMoves += o.CrossPartitionMoves
	c.PendingRemoved += o.PendingRemoved
	c.PendingAltered += o.PendingAltered
	c.Reopened += o.Reopened
	c.AIChangesInFlight += o.AIChangesInFlight
	c.CyclesTried += o.CyclesTried
	c.ChildrenFirst += o.ChildrenFirst
	c.WildSets += o.WildSets
	c.Declared += o.Declared
	c.Granted += o.Granted
	c.Reviewed += o.Reviewed
	c.AgentsDied += o.AgentsDied
	c.StatesDied += o.StatesDied
	c.ClockJumps += o.ClockJumps
	c.OwnerChangesInFlight += o.OwnerChangesInFlight
	c.AliasesReused += o.AliasesReused
	c.DatagramsLost += o.DatagramsLost
	c.LinksLost += o.LinksLost
	c.StateLinksLost += o.StateLinksLost
	c.MessagesLost += o.MessagesLost
	c.AIsDied += o.AIsDied
	c.AIsCast += o.AIsCast
	c.AIsCutOff += o.AIsCutOff
	c.DaemonsDied += o.DaemonsDied
	c.Rejoined += o.Rejoined
	c.Restored += o.Restored
	c.PutBack += o.PutBack
	c.LastWords += o.LastWords
	c.Borrowed += o.Borrowed
	c.Queries += o.Queries
	c.AIsOpened += o.AIsOpened
	c.LastWordsAfar += o.LastWordsAfar
	c.Woken += o.Woken
	c.Redials += o.Redials
	c.Ejects += o.Ejects
	c.Refused += o.Refused
	c.CallsAnswered += o.CallsAnswered
	c.CallsFailed += o.CallsFailed
	c.Repairs += o.Repairs
	c.Activated += o.Activated
	c.Unique += o.Unique
	c.SwapsDone += o.SwapsDone
	c.SwapsInDoubt += o.SwapsInDoubt
	c.DatabaseAway += o.DatabaseAway
	c.DatabaseRefuses += o.DatabaseRefuses
	c.Followed += o.Followed
	c.OuterOpened += o.OuterOpened
	c.OuterSeen += o.OuterSeen
	c.CellsCrossed += o.CellsCrossed
	c.GridsChanged += o.GridsChanged
	c.EdgesChanged += o.EdgesChanged
	c.ThroughDoors += o.ThroughDoors
	c.AutosOpened += o.AutosOpened
	c.AutosAltered += o.AutosAltered
	c.Permitted += o.Permitted
	c.PermitsRevoked += o.PermitsRevoked
	c.GrantsRevoked += o.GrantsRevoked
	c.OpenedByRight += o.OpenedByRight
	c.InterestsDenied += o.InterestsDenied
	c.TradesCommitted += o.TradesCommitted
	c.TradesRefused += o.TradesRefused
	c.TradesUnknown += o.TradesUnknown
	c.TradesBroadcast += o.TradesBroadcast
	c.TradesInDoubt += o.TradesInDoubt
	c.DatabasesDied += o.DatabasesDied
	c.WaysRefused += o.WaysRefused
}

// Run simulates one cluster. An error wraps ErrInvariant and has the problems; the report is there in any case.
func Run(seed uint64, opts Options) (Report, error) {
	if opts.Steps == 0 {
		opts.Steps = 2500
	}
	if opts.Tail == 0 {
		opts.Tail = 60
	}
	w, err := newWorld(seed, opts)
	if err != nil {
		return Report{Seed: seed}, err
	}
	defer w.close()
	w.play()
	w.calm()
	w.judge()
	r := Report{Seed: seed, Steps: w.steps, Counters: w.counters(), Problems: w.problems}
	w.hash.Sum(r.Hash[:0])
	if len(r.Problems) == 0 {
		return r, nil
	}
	r.Trace = w.trace.lines(opts.Tail, opts.Only)
	return r, fmt.Errorf("sim: seed %d: %w: %s", seed, ErrInvariant, strings.Join(r.Problems, "; "))
}
