package clientagent

// aliases gives objects their short names for the client link. A name is not given again until every session that
// was told it has acknowledged its leave or ended, and rest longer, in which late datagrams die.
type aliases struct {
	slots   queue[aliasSlot] // by alias - 1
	cooling queue[coolAlias] // by time
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
	if a.cooling.len() > 0 && a.cooling.at(0).until <= now {
		alias := a.cooling.at(0).alias
		a.cooling.drop(1)
		*a.slot(alias) = aliasSlot{object: o}
		a.reused++
		return alias
	}
	a.slots.add(aliasSlot{object: o})
	return uint32(a.slots.len())
}

func (a *aliases) slot(alias uint32) *aliasSlot { return a.slots.at(int(alias - 1)) }

// free takes the name from its object; until is when it may be given again if nobody has to acknowledge.
func (a *aliases) free(alias uint32, until int64) {
	a.slot(alias).object = nil
	a.cool(alias, until)
}

// hold books a session that was told alias and has not acknowledged its leave.
func (a *aliases) hold(alias uint32) { a.slot(alias).waiting++ }

// release takes hold back.
func (a *aliases) release(alias uint32, until int64) {
	a.slot(alias).waiting--
	a.cool(alias, until)
}

func (a *aliases) cool(alias uint32, until int64) {
	if sl := a.slot(alias); sl.object == nil && sl.waiting == 0 {
		a.cooling.add(coolAlias{alias, until})
	}
}
