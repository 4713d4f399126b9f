// Package accounts serves the Auth UberDOG from accounts in the cluster's database.
//
//	err := errors.Join(auth.Register(registry), accounts.Register(registry))
//	...
//	err = accounts.Serve(repo, accounts.Config{})
//
// Nothing that has to last is in memory here: accounts are in the database, whose unique constraint decides who gets a
// name, so that another process can take over at any time. One process at a time serves it: several would share the
// calls (see package uberdog), and not know of each other's logins, so that two logins of one account at once could both
// be bound.
//
// # Passwords
//
// Hashes are argon2id (RFC 9106) in the PHC string form, parameters included, so that a configuration can get dearer
// over time: an older hash still verifies, and is made anew at the next login. Hashing runs on other goroutines, never
// on the loop, at most one per core; beyond a queue of fixed length a login is refused with code Overload, so that a
// storm of logins costs neither memory nor the game's frame. For a name that does not exist the same work is done.
//
// # One session per account
//
// A login ends the sessions that the account has, with reason 100, before the new one is bound. Logins of one account
// are taken one after the other.
package accounts
