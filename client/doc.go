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
package client
