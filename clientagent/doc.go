// Package clientagent is the role between clients and the cluster: the only place where untrusted bytes enter.
//
// A [State] holds the sessions of some clients. It decides what a client may do, shows it the objects that its
// interests cover, and forwards what it sends. Like every role it is a pure core: messages in, messages out. What
// goes to clients is appended to a buffer per session, which whoever drives the State takes with [State.Flush]. The
// shell, [Agent], owns one State, accepts connections (package internal/link), and reads and writes them.
//
// # Sessions
//
// A session is NEW until its Hello (rule 85), then ANONYMOUS, where it reaches only anonymous UberDOGs (rule 86);
// the cluster makes it ESTABLISHED (rule 87). Everything that a client does wrong ends its session with a numbered
// reason, except where it may have been right a moment ago: for 10 s after an object left or a permission went, what
// the client sends is swallowed and answered, not punished (rule 105).
//
// # Views
//
// An object that some session sees, owns or was told of has one record here, with an alias that is the same for all
// sessions, so that an update is encoded once. What ties a session to an object is a grip: seen, owned, declared,
// in any combination (rules 55, 89). A location that some session covers is a place; a session's seat there counts
// the handles that cover it, and knows the opening that still loads it.
//
// # Openings
//
// An interest is opened by subscribing to its locations first, then asking the parent (rule 106). Entries are shown
// as they come, those of a large zone while the rest is still being taken (see [State.Loaded]); DONE follows when every
// listed object is accounted for (rules 108 to 114). Since all that concerns one object comes from its own State in
// order, an entry is exactly as new as the updates before it: nothing about a visible object is ever held, and what
// comes about one that has not entered is in its entry already. A place whose subscription is not acknowledged yet
// counts as not watched: its snapshot will tell.
//
// # The zone graph
//
// A handle may follow an object that its session owns: it covers where that is, the cells around it on a grid, what is
// seen through edges, and the same around parents above (rule 164). What decides that is a ground, what the parent's fields
// say of the zones below it, and where the parent is: asked for once, one parent after the other upwards, and heard of on the
// channel of the parent's children as long as somebody uses it. DONE waits for all grounds and for what they lead to.
// By it moves and positions of clients are judged, and where clients need a permission, their interests; while a ground is
// not known yet, the session's input waits. The auto zones of what a session sees open and close with that (rule 163). All
// of this happens at the end of a Step, when no loop over views is running.
//
// # Calls
//
// A client's call gets one answer, the agent's own a second after the deadline if nobody gave one, and a repeated id is
// answered from memory. A call of an AI to the owner of an object is passed on with the time that is left; the client's
// answer is checked like what it sets, goes to the object's State as a bundle, and is gone when the session ends first.
//
// # Output
//
// Reliable frames go to the session's stream in order. Values of latest fields go into a feed, one for each place, out of
// which a newer value takes the older one; a seat only knows how much of it its session was told, and the rest is copied
// when the buffers are taken: so they coalesce once for all, go into a datagram where the session has them, and while
// it is behind they wait without growing. What nothing superseded within 200 ms is repeated on the stream, to who is behind
// when he is not any more.
package clientagent
