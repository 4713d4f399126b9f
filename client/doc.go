// Package client is the library of game clients: bots, tools, and games written in Go.
//
// A client sees the objects in the zones it is interested in, sets the fields that their keywords let it set, calls
// AIs and UberDOGs, answers what AIs call on the objects that it owns, and hears of everything by behaviours:
//
//	registry := do.NewRegistry()
//	registry.Behave(func() *DistributedAvatar { return &DistributedAvatar{} })
//	r, err := client.Dial(ctx, "play.example.com:7199", client.Config{Registry: registry, Version: "1.0"})
//	...
//	go r.Run(ctx) // or r.Poll() in each frame of the game's own loop
//	err = r.DoWait(ctx, func(ctx context.Context) error {
//		auth, err := client.UberDOG[Auth](r, AuthID)
//		if err != nil {
//			return err
//		}
//		_, err = auth.Login.Call(ctx, LoginRequest{Name: "flippy", Password: "..."})
//		return err
//	})
//
// It knows nothing of how a game logs in: that is an UberDOG's affair.
// A process with many sessions gives each the same [Dialer], so that they share sockets.
//
// # The loop
//
// All game code runs on the repository's loop, one handler at a time: the On methods of behaviours, and what is given
// to Do and DoWait. Objects are touched nowhere else. A handler may wait, for a call or an interest, while others run.
// A client's handlers have no authority: what they change is saved when they return nil, field by field as the keywords
// allow, and the State and the game's AI decide. A set is not echoed; when it is refused the field shows the present
// value again. A panic in a handler is not caught.
//
// # The life of an object
//
// An object that enters gets its required fields, then OnGenerate runs, then the other fields follow; updates run the On
// methods of their fields, all parts of one update applied before the first. When it leaves the view OnDisable runs, when it
// is gone from the world OnDelete, exactly one of them. What is owned may be seen or not, and has an owner view if the
// game has a type for it (FindOwner). A behaviour may be [Cacheable], so that what comes back is what left, and
// [Deferrable], so that a crowd enters one by one. Related waits for several.
//
// # Moving
//
// Follow opens an interest that goes where an owned object goes, over grids and through doors, without a word from the
// client; Walk sends its position, and its cell when that changes. A [Smoother] shows what others tell of theirs.
package client
