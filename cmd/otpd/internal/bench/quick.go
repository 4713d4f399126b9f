package bench

import "github.com/otpd/otpd/wire"

// What a bot does with a delivery takes a core's time that is not the server's, and of which a full zone needs millions of
// them a second: so the usual form is read by its bytes, without a call for each member. All else goes the long way, by
// delivery and readStamp, and a test compares the two.

// quickMost is the longest delivery in the usual form: header, the frame's number, alias, serial, field, stamp.
const quickMost = 2 + 5 + 5 + 5 + 1 + 3*3

// uintLen is how long an unsigned number is that begins with a byte, up to 32 bits; 0: something else begins with it.
var uintLen = func() (t [256]uint8) {
	for c := range 0x80 {
		t[c] = 1
	}
	t[0xcc], t[0xcd], t[0xce] = 2, 3, 5
	return t
}()

// quick reads the stamp and the length of a delivery; length 0: go the long way.
func quick(p []byte) (stamp uint64, n int) {
	if len(p) < quickMost {
		return 0, 0
	}
	before := 2 // alias and field
	switch {
	case p[0] == 0x94 && p[1] == byte(wire.FrameClientUpdate):
	case p[0] == 0x95 && p[1] == byte(wire.FrameClientLatest):
		before = 3
	default:
		return 0, 0
	}
	n = 2
	for range before {
		l := uintLen[p[n]]
		if l == 0 {
			return 0, 0
		}
		n += int(l)
	}
	if p[n] != 0x93 {
		return 0, 0
	}
	n++
	var of [3]uint64
	for i := range of {
		switch c := p[n]; {
		case c < 0x80:
			of[i] = uint64(c)
			n++
		case c == 0xcc:
			of[i] = uint64(p[n+1])
			n += 2
		case c == 0xcd:
			of[i] = uint64(p[n+1])<<8 | uint64(p[n+2])
			n += 3
		default:
			return 0, 0
		}
	}
	return of[0] | (of[1]&^stampHigh)<<15, n
}
