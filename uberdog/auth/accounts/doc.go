// Package accounts serves the Auth UberDOG from accounts in the cluster's database.
//
//	err := errors.Join(auth.Register(registry), accounts.Register(registry))
//	...
//	ud, err := accounts.Serve(repo, accounts.Config{})
//
// Nothing that has to last is in memory here: accounts are in the database, whose unique constraint decides who gets a
// name, and whose rows change by compare-and-set. Several processes can serve it (see package uberdog); limits and
// queues are each process's own.
//
// # Passwords
//
// Hashes are argon2id (RFC 9106) in the PHC string form, parameters included, so that a configuration can get dearer
// over time: an older hash still verifies, and is made anew at the next login. Hashing runs on other goroutines, never
// on the loop, at most one per core and within a bound of memory. Who has to wait for a turn is told its place (event
// Waiting); who would have to wait for too long is refused with code Overload, and told when to try again: so a storm of
// logins costs neither memory nor the game's frame. For a name that does not exist the same work is done.
//
// Attempts are limited by name and by address. Whoever tries many passwords for a name keeps its owner from logging in
// by password meanwhile, too, but not by token.
//
// # Tokens
//
// A session that is logged in can have a token made, and another session can come back with it: after a lost
// connection, or the next day. That costs one query and no hash. The account keeps SHA-256 sums only. A token ends with
// its time, with the password, by Revoke, or when the account has eight newer ones.
//
// # One session per account
//
// Config.Sessions says what becomes of a login while the account has a session: the old one ends with reason 100, the
// new one is refused with code Exists, or both are there. The account's row names the session that holds it. The
// session's agent gives it back when the session ends, however that happens; if the agent died, too, the next login finds
// out, which takes three seconds. Logins of one account are taken one after the other.
//
// # What a player has in the world
//
// Config.Objects says which objects of the database an account has while it is logged in. They come to life for the
// session before the login is answered, and go with the session, however that ends, their last changes written.
//
// # Other accounts
//
// A game whose players are known elsewhere gives Config an [Authenticator]: clients then call Enter with a ticket. Without
// one nobody comes in that way. [Anybody] lets everybody in, for demos and development. A game can also serve auth.Auth
// with a type of its own, or not at all: sessions stay anonymous until an UberDOG or AI establishes them (rule 86).
//
// # Roles
//
// An account has roles, of which Auth knows moderator, admin and banned. The first admin is made by a process of the cluster,
// which may call SetRoles; what counts is the row at the moment of the call: see [Of].
package accounts
