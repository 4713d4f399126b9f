// Package database is the database role: it keeps what is marked db.
//
// [State] is its core. Requests (wire.DBCreate, DBGet, DBSet, DBDelete, DBFind, SchemaGet, SchemaSet) come on the channel
// of the service and have exactly one answer each (rule 143); without a context only failures are answered, and questions.
// Those about one object stand in line, so that none is overtaken (rule 149); those of many objects share a batch. What a
// batch changed is announced on the object's record channel before it is acknowledged (rules 145, 148). While the
// database is away all are answered so, and who asked tries again: nothing here is kept for later, so nothing is
// lost here. One that takes no writes (it is read-only, its disk is full) is not away: what only reads is served. The schema record only grows: what is offered is merged, written by compare-and-set, and announced.
//
// The core does no I/O. It hands out [Work], which [Work.Run] has a Backend do; the outcome (wire.DBWorked,
// wire.DBSchemaIs) comes back as a message like all others. [Server] is the shell: a participant of a director, and
// goroutines that run the work. [Begin] is what a process does before: it takes the cluster over.
//
// The role stands in front of a [Backend], which runs batches of operations ([Op]), each batch in one transaction, and
// gives each operation its own result: that one fails does not touch the others. PostgreSQL and SQLite are in package
// sqldb, [Memory] is for simulations; package databasetest is the suite that every backend passes.
//
// What a backend stores of an object is a row: its DoID, its class, a version that grows by one with each write, and a
// typed column for each of its db fields. A field that was never set, or was deleted, is absent (NULL), which is
// different from any value (rule 142). Values pass this border as canonical msgpack, as they travel on the wire;
// how they are kept is the backend's business, with these limits, which are the same in all backends:
//
//   - a time is kept to the microsecond, rounded down, as PostgreSQL does;
//   - the negative zero of a float becomes zero;
//   - a string with a NUL character is refused with ErrValue, since PostgreSQL has no way to hold one.
//
// Three things protect rows from writers that should no longer write: the epoch of the object's partition, which
// each write carries and a newer owner has raised (rule 139); the expected row version; and expected values.
package database
