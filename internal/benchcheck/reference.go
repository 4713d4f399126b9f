package main

import (
	"encoding/binary"
	"time"
)

// references are what times are divided by: nanoseconds of one round, over at least the given time.
var references = map[string]func(time.Duration) float64{"loop": loopTime, "copy": copyTime}

// repeated is the mean time of f.
func repeated(d time.Duration, f func()) float64 {
	n, begin := 0, time.Now()
	for {
		for range 16 {
			f()
		}
		n += 16
		if took := time.Since(begin); took >= d {
			return float64(took.Nanoseconds()) / float64(n)
		}
	}
}

// looped holds the loop's state, so that its result is used.
var looped = newLoop()

type loop struct {
	keys  map[uint64]int
	buf   []byte
	state uint64
	sum   uint64
}

const loopKeys = 4096

func newLoop() *loop {
	l := &loop{keys: map[uint64]int{}, buf: make([]byte, 0, 256), state: 1}
	for i := range uint64(loopKeys) {
		l.keys[mix(i)] = int(i)
	}
	return l
}

// mix is the finaliser of splitmix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// round is the same kind of work as the hot path's: look something up, branch on it, append it, read it back.
func (l *loop) round() {
	l.buf = l.buf[:0]
	for range 8 {
		l.state = l.state*6364136223846793005 + 1442695040888963407
		n := l.keys[mix(l.state>>52)]
		switch {
		case n < 128:
			l.buf = append(l.buf, byte(n))
		case n < 1024:
			l.buf = append(l.buf, 0xcd, byte(n>>8), byte(n))
		default:
			l.buf = binary.BigEndian.AppendUint64(append(l.buf, 0xcf), uint64(n))
		}
	}
	for _, b := range l.buf {
		l.sum = l.sum*31 + uint64(b)
	}
}

func loopTime(d time.Duration) float64 { return repeated(d, looped.round) }

// The copy is larger than the caches next to a core.
var copyFrom, copyTo = make([]byte, 4<<20), make([]byte, 4<<20)

func copyTime(d time.Duration) float64 { return repeated(d, func() { copy(copyTo, copyFrom) }) }
