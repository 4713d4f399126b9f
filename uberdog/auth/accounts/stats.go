package accounts

import (
	"sync/atomic"

	"github.com/otpd/otpd/ai"
)

// counts are what the service has done. They are read on other goroutines.
type counts struct {
	registered, admitted, resumed, denied, refusedNew, limitedName, limitedAddress, embodied atomic.Uint64
}

// Metrics are the numbers of this process: see ai.MetricsHandler.
func (u *AuthUD) Metrics() []ai.Metric {
	c, h := &u.s.counts, u.s.hashing.stats()
	count := func(name, help string, v uint64, labels ...string) ai.Metric {
		return ai.Metric{Name: "otpd_auth_" + name + "_total", Help: help, Counter: true, Labels: labels, Value: float64(v)}
	}
	gauge := func(name, help string, v float64) ai.Metric {
		return ai.Metric{Name: "otpd_auth_" + name, Help: help, Value: v}
	}
	refused := "Attempts that were refused, by cause."
	return []ai.Metric{
		count("accounts_made", "Accounts that were made.", c.registered.Load()),
		count("sessions", "Sessions that were let in.", c.admitted.Load()),
		count("resumes", "Sessions of these that came back by token.", c.resumed.Load()),
		count("objects", "Objects of accounts that came to life for their sessions.", c.embodied.Load()),
		count("refused", refused, c.denied.Load(), "cause", "denied"),
		count("refused", refused, c.refusedNew.Load(), "cause", "elsewhere"),
		count("refused", refused, c.limitedName.Load(), "cause", "name_rate"),
		count("refused", refused, c.limitedAddress.Load(), "cause", "address_rate"),
		count("refused", refused, h.refused, "cause", "overload"),
		count("hashes", "Turns at hashing that were served.", h.served),
		gauge("hashes_running", "Hashes that run now.", float64(h.inside)),
		gauge("hashes_waiting", "Logins that wait for their turn.", float64(h.waiting)),
		gauge("hash_seconds", "How long a turn at hashing takes, smoothed.", float64(h.meanMicroseconds)/1e6),
		gauge("hash_memory_peak_bytes", "Most memory that hashes have taken together.", float64(h.peak)*1024),
	}
}
