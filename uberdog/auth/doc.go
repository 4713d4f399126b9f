// Package auth is how clients log in: the Auth UberDOG as they see it. The other side, with the accounts, is package
// accounts; a game that wants other accounts (a platform's tickets, say) serves the same class with its own type.
//
// Auth is anonymous, which means that it can be reached before login:
//
//	a, err := client.UberDOG[auth.Auth](c, auth.ID())
//	who, err := a.Login.Call(ctx, auth.Credentials{Name: name, Password: password})
//
// When a call of Register or Login returns without error the session is established and bound to the account. What
// went wrong stands in the error's code: see the fields of [Auth].
package auth
