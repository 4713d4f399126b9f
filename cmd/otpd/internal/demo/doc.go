// Package demo is `otpd demo`: the tavern's world with bots, in one process or in three, and the strict comparison of
// what each bot sees with what lies in the state servers' memory.
package demo
