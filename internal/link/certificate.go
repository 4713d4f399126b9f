package link

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

// DevLifetime is how long a development certificate is valid: what browsers accept for a pinned one is at most 14 days.
const DevLifetime = 13 * 24 * time.Hour

// ErrPin is returned when a server's certificate is not the pinned one.
var ErrPin = errors.New("the certificate is not the pinned one")

// DevCertificate makes a self-signed certificate (ECDSA P-256) for the hosts, names or addresses, valid from an hour
// before now. For development only: clients must pin it.
func DevCertificate(now time.Time, hosts ...string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("link: make development certificate: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("link: make development certificate: %w", err)
	}
	tmpl := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "otpd development"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(DevLifetime),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("link: make development certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// Pin is the SHA-256 of a certificate, by which a client knows it again.
func Pin(cert tls.Certificate) [sha256.Size]byte {
	if len(cert.Certificate) == 0 {
		return [sha256.Size]byte{}
	}
	return sha256.Sum256(cert.Certificate[0])
}

// Serving is the TLS configuration of an agent with that certificate.
func Serving(cert tls.Certificate) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}}
}

// Pinned is the TLS configuration of a client that accepts exactly the certificate with that pin, whatever its names,
// while it is valid.
func Pinned(pin [sha256.Size]byte) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // the pin says more than a chain
		VerifyConnection: func(cs tls.ConnectionState) error {
			if len(cs.PeerCertificates) == 0 {
				return ErrPin
			}
			leaf := cs.PeerCertificates[0]
			sum := sha256.Sum256(leaf.Raw)
			if !bytes.Equal(sum[:], pin[:]) {
				return ErrPin
			}
			if now := time.Now(); now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
				return fmt.Errorf("%w: valid from %s to %s", ErrPin, leaf.NotBefore, leaf.NotAfter)
			}
			return nil
		},
	}
}
