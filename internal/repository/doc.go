// Package repository is what ai and client share: the objects that a process sees, owns or runs, their own writes and
// calls in flight, and the game's handlers. It is a pure core: no I/O, no clock, no randomness of its own.
//
// Two adapters stand around one [State]. [AI] speaks wire messages, as a participant of a director; [Client] speaks
// frames, as the far end of an agent's link. Both are driven the same way, by a shell or by a simulation:
//
//	ai.Start(now)                          client.Start(now)
//	ai.Step(message, now)                  client.Receive(bytes, datagram, now)
//	ai.Tick(now)                           client.Tick(now)
//	ai.TakeOutput() []wire.Message         client.TakeOutput() Output
//
// Next says when Tick is due at the latest. [Loop] is the shell that both packages use: Run, Poll, Do, DoWait.
//
// # Handlers
//
// Every piece of the game's code runs as a handler: the On methods of behaviours, timers, and what is given to Do.
// A handler runs on a coroutine, so it may wait in the middle (a call, a commit, an interest) while others run; one
// runs at a time, on the loop, in an order that only the input decides. An AI's handler is atomic: what it changes on
// its own object and on those that it named by [State.Change], and what it sends, is held until it returns nil, then
// leaves as one bundle; an error, or a panic, drops the bundle and undoes the objects. A wait is a save point.
//
// # Own writes
//
// A writer does not hear its own value; each write is acknowledged or refused instead. While a field has writes in
// flight, what others set is kept aside as the truth, in the order in which the State said it; an acknowledgement
// makes the written value the truth, a refusal the value that it carries. When the last write of the field is
// settled, the field becomes the truth. So all views converge, the writer's too. Latest values of a client are
// counted by serials instead, and repeated on the stream when 200 ms brought no acknowledgement.
//
// # Life
//
// An object is in the table as long as something holds it: an interest, ownership, being its AI. Each entering has
// one OnGenerate and one end: OnDisable when it left the view and may come back, OnDelete when it is gone from the
// world. The order at the beginning is: required fields, OnGenerate, the other fields (rule 156).
//
// What an AI changed of the db fields of an object and did not save is written when the object goes, before OnDisable or
// OnDelete runs; what these change follows. They have 5 s for what they wait for; meanwhile the object can be saved and
// committed, and nothing else. Such writes are repeated while the database is away, and whoever activates the object
// again in this AI waits for them.
package repository
