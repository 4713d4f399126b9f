// Package auth is how clients log in: the Auth UberDOG as they see it. The other side, with the accounts, is package
// accounts; a game that wants other accounts (a platform's tickets, say) gives it an authenticator, or serves the same
// class with its own type.
//
// Auth is anonymous, which means that it can be reached before login:
//
//	a, err := client.UberDOG[auth.Auth](c, auth.ID())
//	who, err := a.Login.Call(ctx, auth.Credentials{Name: name, Password: password})
//
// When a call of Register or Login returns without error the session is established and bound to the account. What
// went wrong stands in the error's code: see [Auth]. Where it is only a matter of time, [RetryAfter] says how long.
//
// A session that is logged in can ask for a token; another one then comes back without the password:
//
//	t, err := a.Token.Call(ctx, auth.TokenRequest{Device: "laptop"})
//	...
//	who, err := a.Resume.Call(ctx, auth.Resumption{Secret: t.Secret})
package auth
