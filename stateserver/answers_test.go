package stateserver

import (
	"os"
	"reflect"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// requests is every message that asks something of an object or a parent. Each is given to an object that does not exist.
var requests = map[string]wire.Body{
	"Create":          &wire.Create{Class: 99},
	"GetField":        &wire.GetField{},
	"GetFields":       &wire.GetFields{},
	"GetAll":          &wire.GetAll{},
	"SetFields":       &wire.SetFields{Fields: fields.EmptyMap()},
	"DeleteFields":    &wire.DeleteFields{},
	"DeleteRAM":       &wire.DeleteRAM{},
	"SetLocation":     &wire.SetLocation{},
	"GetLocation":     &wire.GetLocation{},
	"SetAI":           &wire.SetAI{},
	"GetAI":           &wire.GetAI{},
	"SetOwner":        &wire.SetOwner{},
	"GetOwner":        &wire.GetOwner{},
	"GetZonesObjects": &wire.GetZonesObjects{Zones: []do.Zone{1}},
	"GetChildren":     &wire.GetChildren{},
	"GetZonesCount":   &wire.GetZonesCount{Zones: []do.Zone{1}},
	"GetChildCount":   &wire.GetChildCount{},
	"GetActiveZones":  &wire.GetActiveZones{},
	"GetClass":        &wire.GetClass{},
	"DeleteChildren":  &wire.DeleteChildren{},
	"DeleteZones":     &wire.DeleteZones{Zones: []do.Zone{1}},
	"Activate":        &wire.Activate{},
	"DeleteDisk":      &wire.DeleteDisk{},
	"Unload":          &wire.Unload{},
	"Bundle":          &wire.Bundle{Ops: []wire.Op{{Kind: wire.OpMove}}},
	"Call":            &wire.Call{Caller: testerAI, Args: fields.AppendNil(nil)},
}

// noRequests are what is sent to an object or a parent and is answered in another way, or by nobody.
var noRequests = map[string]string{
	"GetActivated": "that an object is not there is a result",
	"ChildrenHere": "between States",
	"AskEntries":   "the missing are part of the answer",
	"AskHeld":      "has no other answer than the entries",
	"AskChildren":  "between States",
	"AskAIEntered": "between States",
	"LastWord":     "an answer itself",
	"Freeze":       "of a transaction, answered by Frozen",
	"Thaw":         "of a transaction, answered by Thawed",
}

// TestRule143EachFailedRequestIsAnswered gives each request to a State without the object: it has one answer, with its
// context, and it is an error. A request that is new in package wire must be added here.
func TestRule143EachFailedRequestIsAnswered(t *testing.T) {
	numbers, err := os.ReadFile("../wire/numbers.go")
	require.NoError(t, err)
	rows := regexp.MustCompile(`\{\d+, "(\w+)", "[^"]*", "(?:the object|the parent|the first of the objects)[^"]*"`).FindAllStringSubmatch(string(numbers), -1)
	require.Greater(t, len(rows), 20)
	for _, r := range rows {
		if r[1] == "DBChanged" {
			continue // to the record of an object
		}
		if noRequests[r[1]] == "" {
			require.Contains(t, requests, r[1], "nobody checks that it is answered")
		}
	}
	id := do.NewID(1, 1, 1)
	for name, body := range requests {
		st, err := New(Config{Instance: do.WellKnown(1), Partitions: []do.Partition{1}, Epoch: 1, Schema: readSchema(t, "testdata/world.dc"), NoDatabase: true})
		require.NoError(t, err)
		v := reflect.ValueOf(body).Elem()
		v.FieldByName("Context").SetUint(77)
		for _, f := range []string{"DO", "Parent"} {
			if m := v.FieldByName(f); m.IsValid() {
				m.Set(reflect.ValueOf(id))
			}
		}
		var out wire.Outbox
		require.Error(t, st.Step(wire.Message{From: testerAI, To: []do.Channel{do.ObjectChannel(id)}, Body: body}, &out), name)
		require.Len(t, out.Messages, 1, name)
		require.Equal(t, []do.Channel{testerAI}, out.Messages[0].To, name)
		switch answer := out.Messages[0].Body.(type) {
		case *wire.Failed:
			require.Equal(t, uint32(77), answer.Context, name)
			require.Equal(t, body.Type(), answer.Of, name)
			require.NotEqual(t, wire.CodeOK, answer.Code, name)
		case *wire.CallReply:
			require.Equal(t, uint32(77), answer.Context, name)
			require.NotEqual(t, wire.CodeOK, answer.Code, name)
		default:
			t.Fatalf("%s is answered with %v", name, answer)
		}
	}
}
