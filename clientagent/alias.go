package clientagent

// aliases gives objects their short names for the client link. A name is not given again until every session that
// was told it has acknowledged its leave or ended, and rest longer, in which late datagrams die.
type aliases struct {
	slots   []aliasSlot // by alias - 1
	cooling []coolAlias // by time
	reused  uint64
}

type aliasSlot struct {
	object  *object // nil: not given
	waiting int32   // sessions that were told and have not acknowledged
}

type coolAlias struct {
	alias uint32
	until int64
}

// give names o.
func (a *aliases) give(o *object, now int64) uint32 {
	if len(a.cooling) > 0 && a.cooling[0].until <= now {
		alias := a.cooling[0].alias
		a.cooling = a.cooling[1:]
		a.slots[alias-1] = aliasSlot{object: o}
		a.reused++
		return alias
	}
	a.slots = append(a.slots, aliasSlot{object: o})
	return uint32(len(a.slots))
}

// free takes the name from its object; until is when it may be given again if nobody has to acknowledge.
func (a *aliases) free(alias uint32, until int64) {
	a.slots[alias-1].object = nil
	a.cool(alias, until)
}

// hold books a session that was told alias and has not acknowledged its leave.
func (a *aliases) hold(alias uint32) { a.slots[alias-1].waiting++ }

// release takes hold back.
func (a *aliases) release(alias uint32, until int64) {
	a.slots[alias-1].waiting--
	a.cool(alias, until)
}

func (a *aliases) cool(alias uint32, until int64) {
	if sl := a.slots[alias-1]; sl.object == nil && sl.waiting == 0 {
		a.cooling = append(a.cooling, coolAlias{alias, until})
	}
}
