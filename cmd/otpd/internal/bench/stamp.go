package bench

import (
	"time"

	"github.com/otpd/otpd/fields"
)

// A stamp is the time at which an update was meant to be sent, in the three int16 of a Body's field: microseconds
// since the run's zero in 15 and 14 bits, then a counter. It comes round after 9 minutes, so only differences of less
// than half of that mean anything. The second and third value have bit 14 set, so that they take three bytes like most
// int16, whenever in a run they are sent.

const (
	stampBits = 29
	stampMask = 1<<stampBits - 1
	stampHigh = 1 << 14
)

// appendStamp appends the value of a field.
func appendStamp(dst []byte, at time.Duration, n uint16) []byte {
	us := uint64(at/time.Microsecond) & stampMask
	dst = fields.AppendArrayHeader(dst, 3)
	dst = fields.AppendInt(dst, int64(us&0x7fff))
	dst = fields.AppendInt(dst, int64(us>>15|stampHigh))
	return fields.AppendInt(dst, int64(n&(stampHigh-1)|stampHigh))
}

// readStamp reads when the update was meant to be sent, as of now.
func readStamp(value []byte, now time.Duration) (at time.Duration, err error) {
	_, rest, err := fields.ReadArrayHeader(value)
	if err != nil {
		return 0, err
	}
	low, rest, err := fields.ReadInt(rest)
	if err != nil {
		return 0, err
	}
	high, _, err := fields.ReadInt(rest)
	if err != nil {
		return 0, err
	}
	return stampTime(uint64(high&^stampHigh)<<15+uint64(low), now), nil
}

// stampTime is when an update with that stamp was meant to be sent, as of now.
func stampTime(stamp uint64, now time.Duration) time.Duration {
	us := now / time.Microsecond
	age := (uint64(us) - stamp) & stampMask
	if age > stampMask/2 {
		age = 0 // sent a little before it was meant to be: no timer is that exact
	}
	return (us - time.Duration(age)) * time.Microsecond
}

// stampLen is how many bytes the stamp at the front of b has.
func stampLen(b []byte) (n int, err error) {
	_, rest, err := fields.ReadArrayHeader(b)
	for i := 0; i < 3 && err == nil; i++ {
		_, rest, err = fields.ReadInt(rest)
	}
	return len(b) - len(rest), err
}
