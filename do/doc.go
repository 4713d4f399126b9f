// Package do holds the nouns of the field: ids, channels, locations, versions, and the schema of classes.
// It knows no message, no network and no clock.
//
// # Glossary
//
//   - DistributedObject, object: something of the world that several processes see. It has a class and fields.
//   - DoID ([ID]): the name of an object, for ever; the id of a deleted object is never used again.
//   - Well-known id ([WellKnown]): a small number as DoID, for roots and UberDOGs.
//   - Partition ([Partition]): the part of all objects that one State holds; it is written in the DoID.
//   - Incarnation ([Incarnation]): one life of an object in memory. Messages of an older one are dropped.
//   - Version ([Version]): incarnation, n, m: how new a view of an object is.
//   - Class ([Class]): what the objects of a kind have in common: parents, and fields with their numbers.
//   - Schema ([Schema]): the ordered set of classes of a cluster, with its UberDOG bindings.
//   - Parent, zone ([Zone]), location ([Location]): an object is in a zone below a parent, which is an object.
//     Moving a parent sends nothing to its children: their location does not change (rule 34).
//   - Channel ([Channel]): a typed address to which messages are sent; who subscribed to it gets them.
//   - Interest: a client's wish to see the objects in some zones below a parent. It has a handle.
//   - Zone graph: the tree of objects and their zones, with what objects declare of the zones below them: a grid of cells
//     ([Grid]), and edges ([Edge]), the doors between zones. An interest can follow an object over it.
//   - Auto-interest: an interest in zones below an object that opens by itself for who sees the object (rule 163).
//   - Opening: what happens between asking for an interest and its being complete.
//   - Owner: the session or AI that an object belongs to. Being owner and seeing an object are independent (rule 55).
//   - AI, AI channel: the process that runs an object's game logic, and the channel on which it hears of it.
//     Explicit when it was set, implicit when it was learnt from the parent (rule 41).
//   - UberDOG: a global object without state at a well-known id, served by processes, reachable without interest.
//     An anonymous one is reachable before login.
//   - District, shard: one copy of the world's population space; an object below which an AI keeps its zones.
//   - Owner view (OV): the second view that an owner has of what it owns, apart from the visible one (rule 158).
//   - Generate: an object enters a view. Disable: it leaves that view and may come back. Delete: it is gone from
//     the world. The three are never used for one another.
//   - Activate: a database object comes to life in memory. Dormant: it is only in the database.
//   - Session object: an object that is deleted with the client session it belongs to.
//
// # Fields
//
//   - State field: a value that an object has. It is required, ram or db, or any of them together.
//   - Event: an update that is sent and not stored (rule 21). Call: an event that has exactly one answer: a result, an
//     error, gone, or outcome unknown. One side answers it. With ownrecv that is the object's owner, and AIs may call
//     it; else it is the object's AI, and AIs may call it, and clients by clsend and ownsend. A call of an UberDOG is
//     answered by the process that serves it.
//   - Molecular: a name for several fields that are set together (rules 60 to 62).
//   - required: every object has a value, from creation on; unset, it has the default or zero (rule 69).
//   - ram: kept in memory when it was set. db: kept in the database. A field that is db alone is not in memory: Activate
//     does not load it, so its Go field has the zero value until it is set, and to add to it would lose what the row has
//     (rules 21, 129). It is for what is read as a row only, or written and looked at with SQL.
//   - broadcast: those who see the object hear updates, and see the value when it enters.
//   - clrecv: seen when the object enters, not heard when it changes (rule 68).
//   - ownrecv: the owner hears and sees it. airecv: the AI hears it.
//   - clsend, ownsend: any client that knows the object, or its owner only, may set or send it.
//   - ai: only AIs may set it: what holds where neither clsend nor ownsend is written.
//   - latest: the newest value wins; stale ones are dropped and updates may travel unreliably.
//   - rate: the most updates in a second from one client.
//   - review: a client's set goes to the AI first, which cleans, validates and then sets it.
//   - index, unique: the database can find by it; no two objects of the class have the same.
//   - position: a struct with X and Y that says where the object is below its parent.
//   - grid, edges, auto, open: what the object declares of the zones below it: cells ([Grid]), doors ([Edge]), zones that open
//     for who sees it, and zones that clients may open.
//   - Gone: what a removed field leaves in its place, so that no number moves.
//
// # Classes in Go
//
// A class is a struct that embeds [Object], or other classes, first, and whose members have `do:"..."` tags.
// A [Registry] checks the declarations and makes the schema of them; its errors name class, member and what to
// write instead. [New] makes an object. How a process treats the objects of a class is a second type, the
// behaviour, that embeds the class: see [Registry.Behave].
//
// Servers need none of this: for them a [Class] read from a schema's text is enough ([ParseSchema]).
package do
