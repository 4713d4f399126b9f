package demo

import (
	"bytes"
	"fmt"
	"sort"

	"github.com/otpd/otpd/cmd/otpd/internal/daemon"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/repository"
)

// Watcher is one client at the end: what it asked for, and what it holds.
type Watcher struct {
	Name      string
	Session   do.Channel
	Interests []Zones
	Objects   []repository.ObjectView
}

// Zones is one open interest.
type Zones struct {
	Parent do.ID
	Zones  []do.Zone
}

// Compare holds each watcher's whole view against the truth: every object that lies in its interests or that it owns,
// with every field that it may see, and nothing else. Each difference is one line. It shares no code with interest,
// openings or the agent: it goes over the scan for each watcher.
func Compare(truth []daemon.Object, schema *do.Schema, watchers []Watcher) []string {
	var diffs []string
	for i := range watchers {
		diffs = append(diffs, compareOne(truth, schema, &watchers[i])...)
	}
	return diffs
}

func compareOne(truth []daemon.Object, schema *do.Schema, w *Watcher) []string {
	var diffs []string
	report := func(format string, args ...any) {
		diffs = append(diffs, w.Name+": "+fmt.Sprintf(format, args...))
	}
	held := make(map[string]*repository.ObjectView, len(w.Objects))
	for i := range w.Objects {
		held[w.Objects[i].ID.String()] = &w.Objects[i]
	}
	covered := make(map[string]bool)
	for _, in := range w.Interests {
		for _, z := range in.Zones {
			covered[do.Location{Parent: in.Parent, Zone: z}.String()] = true
		}
	}
	for _, o := range truth {
		visible := o.Location != "none" && covered[o.Location]
		owned := o.Owner == w.Session.String()
		if !visible && !owned {
			continue
		}
		v := held[o.ID]
		if v == nil {
			report("misses %s %s at %s", o.Class, o.ID, o.Location)
			continue
		}
		delete(held, o.ID)
		// A session object is not announced a second time to its owner as one that is seen (rule 103).
		if v.Owned != owned || v.Visible != visible && (v.Visible || !owned) {
			report("%s %s at %s: visible %v owned %v, should be %v %v", o.Class, o.ID, o.Location, v.Visible, v.Owned, visible, owned)
		}
		if v.Location.String() != o.Location {
			report("%s %s is at %s, should be at %s", o.Class, o.ID, v.Location, o.Location)
		}
		if v.Pending {
			report("%s %s has writes that nobody answered", o.Class, o.ID)
		}
		for _, d := range compareFields(schema.Class(o.Class), fields.Map(o.Fields), v.Fields, visible, owned) {
			report("%s %s: %s", o.Class, o.ID, d)
		}
	}
	// What a game calls through is no object: UberDOGs lie in no State.
	for _, b := range schema.UberDOGs() {
		if v := held[b.ID.String()]; v != nil && !v.Visible && !v.Owned {
			delete(held, b.ID.String())
		}
	}
	extra := make([]string, 0, len(held))
	for id := range held {
		extra = append(extra, id)
	}
	sort.Strings(extra)
	for _, id := range extra {
		v := held[id]
		report("holds %s %s at %s (visible %v, owned %v), which it should not", v.Class.Name(), id, v.Location, v.Visible, v.Owned)
	}
	return diffs
}

// compareFields tells what differs between the values that one may see and those that a view has.
func compareFields(class *do.Class, all fields.Map, have []fields.Pair, visible, owned bool) []string {
	if class == nil {
		return []string{"its class is not in the schema"}
	}
	var diffs []string
	got := make(map[fields.Number][]byte, len(have))
	for _, p := range have {
		got[p.Number] = p.Value
	}
	for it := all.Iter(); it.Next(); {
		f := class.Field(it.Number())
		see := visible && f.Keywords.Any(fields.Broadcast|fields.ClRecv) ||
			owned && f.Keywords.Any(fields.Broadcast|fields.ClRecv|fields.OwnRecv)
		value, ok := got[f.Number]
		delete(got, f.Number)
		switch {
		case !see && ok:
			diffs = append(diffs, fmt.Sprintf("has %s, which it may not see", f.Name))
		case see && !ok:
			diffs = append(diffs, fmt.Sprintf("lacks %s %s", f.Name, f.Type.Text(it.Value())))
		case see && !bytes.Equal(canonical(f, value), canonical(f, it.Value())):
			diffs = append(diffs, fmt.Sprintf("%s is %s, should be %s", f.Name, f.Type.Text(value), f.Type.Text(it.Value())))
		}
	}
	for _, p := range have {
		if _, ok := got[p.Number]; ok {
			diffs = append(diffs, fmt.Sprintf("has field %s, which is unset", p.Number))
		}
	}
	return diffs
}

func canonical(f *do.Field, value []byte) []byte { return f.Type.AppendCanonical(nil, value) }
