package messagedirector

import "github.com/otpd/otpd/wire"

// baseWeight is about what any message holds: its envelope and a small body.
const baseWeight = 192

// weight is about how many bytes of memory a message holds, so that an inbox can be bounded. Only what can be large
// is looked at.
func weight(m *wire.Message) int {
	w := baseWeight
	switch b := m.Body.(type) {
	case *wire.Update:
		w += len(b.Fields)
	case *wire.SetFields:
		w += len(b.Fields)
	case *wire.EnterLocation:
		w += len(b.Entry.Fields)
	case *wire.Create:
		w += len(b.Fields)
	case *wire.ZonesObjects:
		w += entries(b.Entries) + 48*len(b.List)
	case *wire.ZoneEntries:
		w += entries(b.Entries) + 48*len(b.Gone)
	case *wire.EnterAI:
		w += len(b.Entry.Fields)
	case *wire.EnterOwner:
		w += len(b.Entry.Fields)
	case *wire.Activate:
		w += len(b.Fields)
	case *wire.GetFieldsResp:
		w += len(b.Fields)
	case *wire.GetZonesObjects:
		w += 4 * len(b.Zones)
	case *wire.AskEntries:
		w += 4*len(b.Zones) + 16*len(b.DOs)
	case *wire.AskHeld:
		w += 24*len(b.Owners) + 16*len(b.DOs)
	case *wire.HeldDigest:
		w += 24*len(b.Counts) + 24*len(b.Lost)
	case *wire.Children:
		w += 48 * len(b.List)
	case *wire.ChildrenHere:
		w += 48*len(b.Children) + 16*len(b.Gone)
	case *wire.ChildrenKnown:
		w += 48 * (len(b.Listed) + len(b.Deleted))
	case *wire.AIEntered:
		w += 16 * (len(b.DOs) + len(b.Elsewhere))
	case *wire.Call:
		w += len(b.Args)
	case *wire.CallReply:
		w += len(b.Result)
	case *wire.Bundle:
		for i := range b.Ops {
			w += baseWeight + len(b.Ops[i].Fields) + len(b.Ops[i].Reply.Result)
		}
	case *wire.GetAllResp:
		w += len(b.Entry.Fields)
	case *wire.DBCreate:
		w += len(b.Fields)
	case *wire.DBSet:
		w += len(b.Fields)
	case *wire.DBObject:
		w += len(b.Fields)
	case *wire.DBFound:
		for i := range b.Objects {
			w += baseWeight + len(b.Objects[i].Fields)
		}
	case *wire.DBTransact:
		for i := range b.Parts {
			w += baseWeight + len(b.Parts[i].Fields) + len(b.Parts[i].Expect)
		}
	case *wire.DBChanged:
		w += len(b.Fields)
	case *wire.SchemaSet:
		w += len(b.Text)
	case *wire.SchemaRecord:
		w += len(b.Text)
	case *wire.SessionFrames:
		w += len(b.Bytes)
	}
	return w
}

func entries(es []wire.Entry) int {
	w := 0
	for i := range es {
		w += baseWeight + len(es[i].Fields)
	}
	return w
}
