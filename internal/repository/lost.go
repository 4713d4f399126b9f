package repository

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// maxLost is how many writes whose outcome is unknown are remembered.
const maxLost = 1024

// remember keeps the writes that a lost link settles now. One may still be done, after the State has said what it has:
// it waits there for the database, or comes on a link that was whole. Then the objects are loaded again.
func (a *AI) remember() {
	if len(a.lost) > maxLost || a.lost == nil {
		a.lost = make(map[uint32]*write)
	}
	for context, w := range a.writes {
		a.lost[context] = w
	}
}

// reload asks for the objects of a write that was done although it had been given up.
func (a *AI) reload(w *write) {
	if a.reloads == nil {
		a.reloads = make(map[uint32]do.ID)
	}
	var asked []*object
	for i := range w.ops {
		o := w.ops[i].o
		if o == nil || o.dog || contains(asked, o) || a.objects[o.id] == nil {
			continue
		}
		asked = append(asked, o)
		context := a.nextContext()
		a.reloads[context] = o.id
		a.send(do.ObjectChannel(o.id), &wire.GetAll{Context: context, DO: o.id})
	}
}

// reloaded takes an object in that reload asked for.
func (a *AI) reloaded(b *wire.GetAllResp) bool {
	id, ok := a.reloads[b.Context]
	if !ok {
		return false
	}
	delete(a.reloads, b.Context)
	if o := a.objects[id]; o != nil && b.Entry.DO == id && b.Entry.Version.Inc == o.version.Inc {
		a.take(&b.Entry, coversAll, func(o *object) { o.seen = o.seen && a.watched[b.Entry.Location] != nil })
		a.leaveView(o)
	}
	return true
}
