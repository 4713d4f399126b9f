// Package ai is the library of AI processes: what runs a game's logic, and serves its UberDOGs.
//
// An AI process is a privileged client of the cluster. It creates, owns, moves and deletes objects, hears what
// clients set and call, and answers. [Connect] joins, offers the game's schema and returns a [Repository], which
// holds the objects that the process runs, owns or watches:
//
//	registry := do.NewRegistry()
//	registry.Behave(func() *AvatarAI { return &AvatarAI{} })
//	r, err := ai.Connect(ctx, ai.Config{URL: url, Registry: registry, Name: "tavern"})
//	...
//	err = r.Run(ctx) // or r.Poll() in each frame of the game's own loop
//
// # The loop
//
// All game code runs on the repository's loop, one handler at a time: the On methods of behaviours, timers, and what
// is given to Do and DoWait. Objects are touched nowhere else. In dev mode (Config.Dev) a Save or Send from another
// goroutine fails with both stacks.
//
// # When the cluster is away
//
// A process that is cut off, or whose daemon died, does not end: it joins again, at any of the addresses that it has, after
// pauses that grow to 5 s. What was in flight fails (wire.CodeLinkLost: it was done or not). Objects stay meanwhile, but
// their handlers wait, and they cannot be saved, until their States have said what they have; those that are gone have
// their OnDelete, or OnDisable if the database has them. Then [Config].Restore puts back what is missing. A process that
// the others have declared dead, after 3 s, comes back as a new node: what it ran was deleted, unless Config.Keep kept it.
//
// # Handlers are atomic
//
// What a handler changes on its own object, and on others that it names by [Repository.Change], and what it sends, is
// held until it returns nil; then it leaves as one bundle that one State applies as a whole, the reply to the caller
// behind the effects. An error drops the bundle and restores the objects. A waiting call inside of a handler is a save
// point: what came before is sent, other handlers run meanwhile, and undo goes back to there. What else a handler
// saves, by Save on objects that it did not name, leaves after the bundle as messages of their own.
//
// Change fails for objects in different partitions: their States may be different, and one bundle goes to one State.
package ai
