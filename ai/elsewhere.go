package ai

import (
	"context"
	"time"

	"github.com/otpd/otpd/wire"
)

// Sleep lets a handler wait for d, while others run. It is a save point.
func (r *Repository) Sleep(ctx context.Context, d time.Duration) error { return r.core.Sleep(ctx, d) }

// Offload runs fn on a goroutine of its own and lets the handler wait for it, while the loop goes on with others: for
// what takes long, or blocks. fn must not touch objects. It is a save point. When ctx ends first, fn goes on.
func (r *Repository) Offload(ctx context.Context, what string, fn func() error) error {
	return r.loop.Offload(ctx, &r.core.State, what, fn)
}

// Elsewhere lets a handler wait for something that is not done by this handler. start begins it, and must not block;
// done is called once, on the loop. It is a save point.
func (r *Repository) Elsewhere(ctx context.Context, what string, start func(done func(err error))) error {
	return r.core.Elsewhere(ctx, what, start)
}

// Establish lets the session in, so that it may open interests and reach everything that its keywords allow (rule 87).
func (s Session) Establish(ctx context.Context) error { return s.SetState(ctx, wire.StateEstablished) }

// Error is what the cluster answered instead of a result. errors.Is(err, CodeGone) asks for its code. A handler that
// returns one answers its caller with that code.
type Error = wire.Error

// Code says why the cluster refused.
type Code = wire.Code

// The codes that a game is likely to ask for; package wire has all.
const (
	CodeNoObject = wire.CodeNoObject
	CodeExists   = wire.CodeExists
	CodeDenied   = wire.CodeDenied
	CodeUnique   = wire.CodeUnique
	CodeConflict = wire.CodeConflict
	CodeAway     = wire.CodeAway
	CodeReadOnly = wire.CodeReadOnly
	CodeDiskFull = wire.CodeDiskFull
	CodeGone     = wire.CodeGone
	CodeUnknown  = wire.CodeUnknown
	CodeNotReady = wire.CodeNotReady
	CodeOverload = wire.CodeOverload
	CodeActive   = wire.CodeActive
)
