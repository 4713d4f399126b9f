//go:build !faults

package daemon

import (
	"log/slog"

	"github.com/otpd/otpd/clientagent"
	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/wire"
)

// faults is nothing in this build: see faults.go.
type faults struct{}

func newFaults(*slog.Logger) (faults, error)          { return faults{}, nil }
func (faults) configure(*clientagent.Config)          {}
func (faults) lose() func(wire.Message) bool          { return nil }
func (faults) listener(l link.Listener) link.Listener { return l }
