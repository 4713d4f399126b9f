package client

import (
	"crypto/tls"

	"github.com/otpd/otpd/internal/link"
)

// Pinned is the TLS configuration for a server with a self-signed certificate: nothing but the certificate with this
// SHA-256 is trusted. A daemon in development leaves it in its data directory, in hex.
func Pinned(pin [32]byte) *tls.Config { return link.Pinned(pin) }
