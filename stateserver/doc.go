// Package stateserver holds the objects of a world: their fields, where they are, who owns them and which AI runs
// them. It knows no game and no client; it gets messages, and each message causes others.
//
// # The story
//
// An AI sends Create to the channel of the new object. The State that has the object's partition keeps it, tells the
// parent, and shows it with EnterLocation to whoever watches the zone. A set arrives (SetFields): all of it is checked
// against the class, then all of it is stored and one Update goes to everybody concerned, with the version after it;
// the writer gets Done. The object moves (SetLocation): the old zone hears ChangingLocation, the new zone gets
// EnterLocation with all that is needed to draw it. An agent opens a zone (GetZonesObjects): it gets the list of who
// is there, with versions, and the entries. The object is deleted (DeleteRAM), and with it everything below it.
// Objects of the database come to life with Activate; what is set of their db fields is written behind.
//
// # Rules
//
//   - [State.Step] is the only way in. A State does no I/O, reads no clock, starts no goroutine and draws no random
//     number; the same messages cause the same messages.
//   - Who asks gets exactly one answer: Done (only if the request had a context), a result, or Failed. A request that
//     is refused changes nothing.
//   - Children in other partitions than their parent's are the normal case. Within one State parent and child meet
//     inside Step; across States the child tells the parent with ChangingLocation, the parent answers LocationAck, and
//     only then does the child send EnterLocation: who is in a view is in the parent's list.
//   - A message for an object that waits (it is being loaded, a unique value of it is being accepted, or the chain above
//     its new parent is looked at in other States) waits behind it and is handled afterwards, in the order of arrival.
//   - Stored bytes are copies. What was sent is never changed.
//
// # Where to read
//
// testdata/ tells one story per file. state.go has the State and its switch; object.go how an object lies in memory;
// place.go who is where; each other file one concern. run.go is the goroutine around it.
package stateserver
