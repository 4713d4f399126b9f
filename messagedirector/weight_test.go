package messagedirector

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// TestWeightIsAboutTheBytes: what is large weighs about what it takes encoded, or inboxes would have no bound.
func TestWeightIsAboutTheBytes(t *testing.T) {
	const n = 10_000
	large := fields.MapOf(fields.Pair{Number: 1, Value: fields.AppendBin(nil, make([]byte, 16*n))})
	id := do.NewID(1, 1, 1)
	ids := make([]do.ID, n)
	listed := make([]wire.Listed, n)
	for i := range n {
		ids[i] = do.NewID(1, 1, uint64(i))
		listed[i] = wire.Listed{DO: ids[i], Version: do.Version{Inc: 1, N: 1}}
	}
	rows := make([]wire.DBObject, 100)
	parts := make([]wire.DBPart, 100)
	for i := range rows {
		rows[i] = wire.DBObject{DO: id, Fields: large[:len(large):len(large)]}
		parts[i] = wire.DBPart{DO: id, Fields: large}
	}
	children := make([]wire.Child, n)
	counts := make([]wire.HeldCount, n)
	for i := range n {
		children[i].DO, counts[i].DO = ids[i], ids[i]
	}
	for _, body := range []wire.Body{
		&wire.Update{Fields: large}, &wire.SetFields{Fields: large}, &wire.Create{Fields: large}, &wire.Activate{Fields: large},
		&wire.EnterLocation{Entry: wire.Entry{Fields: large}}, &wire.EnterOwner{Entry: wire.Entry{Fields: large}},
		&wire.EnterAI{Entry: wire.Entry{Fields: large}}, &wire.GetFieldsResp{Fields: large}, &wire.GetAllResp{Entry: wire.Entry{Fields: large}},
		&wire.ZonesObjects{List: listed, Entries: []wire.Entry{{Fields: large}}}, &wire.ZoneEntries{Gone: listed, Entries: []wire.Entry{{Fields: large}}},
		&wire.AskEntries{DOs: ids}, &wire.AskHeld{DOs: ids}, &wire.HeldDigest{Counts: counts}, &wire.GetZonesObjects{Zones: make([]do.Zone, n)},
		&wire.Children{List: listed}, &wire.ChildrenHere{Children: children}, &wire.ChildrenKnown{Listed: listed}, &wire.AIEntered{DOs: ids},
		&wire.DBFound{Objects: rows}, &wire.DBTransact{Parts: parts}, &wire.DBCreate{Fields: large}, &wire.DBSet{Fields: large},
		&wire.DBObject{Fields: large}, &wire.DBChanged{Fields: large}, &wire.Call{Args: large}, &wire.CallReply{Result: large},
		&wire.Bundle{Ops: []wire.Op{{Kind: wire.OpSet, Fields: large}}}, &wire.SchemaSet{Text: large}, &wire.SchemaRecord{Text: large},
	} {
		m := wire.Message{To: []do.Channel{zone20}, Body: body}
		encoded := len(wire.AppendMessage(nil, &m))
		require.GreaterOrEqual(t, encoded, n)
		require.Greater(t, weight(&m), encoded/2, "%s of %d bytes", body.Type(), encoded)
	}
}
