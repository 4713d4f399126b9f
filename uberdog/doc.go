// Package uberdog serves a game's global objects: what there is once in the world, and no zone has it. Authentication
// is one, and so are a friends list, a chat filter, a matchmaker.
//
// An UberDOG is declared like any class, and bound to a well-known id:
//
//	type Realm struct {
//		do.Object
//		Enter do.Call[Entrance, Arrival] `do:"clsend"`
//	}
//
//	err := registry.UberDOG(do.WellKnown(4671), Realm{}, false) // true: reachable before login
//
// A process serves it with a second type, whose On methods answer:
//
//	func (u *RealmUD) OnEnter(ctx context.Context, e Entrance) (Arrival, error) {
//		who := uberdog.CallerOf(ctx) // the session's channel, and its account
//		...
//	}
//
//	err := uberdog.Serve(repo, do.WellKnown(4671), &RealmUD{...})
//
// # Stateless
//
// No state server knows an UberDOG: it has no location, nobody sees it, and it needs no interest (rule 171). So the
// registry refuses a class with state fields: it can have events and calls. What an UberDOG remembers belongs into the
// database, or into objects; then another process can take over at any time.
//
// # Several processes
//
// Several processes can serve one id. Each of them hears every event that is sent to it. A call is handled by one of
// them: by always the same one for one session or process that calls, as long as the servers are the same, so that its
// calls stay in order; a process that serves the id itself handles its own. When a process goes, later calls go to
// those that are left. The calls that it had and did not answer end at their deadline, as outcome unknown: nobody makes
// them again by itself.
package uberdog
