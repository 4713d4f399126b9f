package client

import (
	"context"
	"time"

	"github.com/otpd/otpd/internal/repository"
	"github.com/otpd/otpd/wire"
)

// Sleep lets a handler wait for d, while others run.
func (r *Repository) Sleep(ctx context.Context, d time.Duration) error { return r.core.Sleep(ctx, d) }

// Offload runs fn on a goroutine of its own and lets the handler wait for it, while the loop goes on with others: for
// what takes long, or blocks. fn must not touch objects. When ctx ends first, fn goes on.
func (r *Repository) Offload(ctx context.Context, what string, fn func() error) error {
	return r.loop.Offload(ctx, &r.core.State, what, fn)
}

// ObjectView is what a client holds of one object, as View gives it.
type ObjectView = repository.ObjectView

// Error is what the cluster answered instead of a result. errors.Is(err, CodeGone) asks for its code.
type Error = wire.Error

// Code says why the cluster refused.
type Code = wire.Code

// The codes that a game is likely to ask for; package wire has all.
const (
	CodeNoObject = wire.CodeNoObject
	CodeConflict = wire.CodeConflict
	CodeExists   = wire.CodeExists
	CodeDenied   = wire.CodeDenied
	CodeUnique   = wire.CodeUnique
	CodeAway     = wire.CodeAway
	CodeTimeout  = wire.CodeTimeout
	CodeGone     = wire.CodeGone
	CodeUnknown  = wire.CodeUnknown
	CodeNotReady = wire.CodeNotReady
	CodeOverload = wire.CodeOverload
	CodeHandler  = wire.CodeHandler // the game's own error; Text is the game's
	CodeRate     = wire.CodeRate
)
