package client

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func lerp(a, b, f float64) float64 { return a + (b-a)*f }

var noon = time.Unix(1_000_000, 0)

func ms(n int) time.Time { return noon.Add(time.Duration(n) * time.Millisecond) }

// rule 168: remote objects are shown 0.2 s late, between the samples on either side.
func TestRule168Smoothing(t *testing.T) {
	s := Smoother[float64]{Between: lerp}
	_, _, ok := s.At(noon)
	require.False(t, ok)
	s.Set(ms(0), 10)
	v, moving, ok := s.At(ms(5000))
	require.True(t, ok)
	require.False(t, moving)
	require.InDelta(t, 10, v, 0)
	require.True(t, s.Add(ms(100), ms(130), 20))
	require.True(t, s.Add(ms(300), ms(310), 40))
	require.True(t, s.Add(ms(200), ms(320), 30), "one that was overtaken still counts")
	require.False(t, s.Add(ms(200), ms(330), 99), "one that is known does not")
	for at, want := range map[int]float64{200: 10, 250: 15, 300: 20, 350: 25, 420: 32, 500: 40, 550: 45, 690: 59} {
		fresh := s
		fresh.samples = append([]sample[float64](nil), s.samples...)
		v, _, _ = fresh.At(ms(at))
		require.InDelta(t, want, v, 1e-9, "at %d", at)
	}
	// Without news it goes on for 0.2 s, then it stands.
	v, moving, _ = s.At(ms(900))
	require.InDelta(t, 60, v, 1e-9)
	require.False(t, moving)
	require.False(t, s.Add(ms(50), ms(900), 0), "what is past is past")
	s.Ahead = -1
	v, moving, _ = s.At(ms(900))
	require.InDelta(t, 40, v, 1e-9)
	require.False(t, moving)
}

// rule 168: a stamp from the future is dropped and suggests to look at the clock, at most each 15 s; rule 167: one that is
// minutes old is none.
func TestRule168Future(t *testing.T) {
	s := Smoother[float64]{Between: lerp}
	require.True(t, s.Add(ms(200), ms(0), 1))
	require.False(t, s.Resync(ms(0)))
	require.False(t, s.Add(ms(201), ms(0), 2))
	require.True(t, s.Resync(ms(0)))
	require.False(t, s.Add(ms(9000), ms(1000), 2))
	require.False(t, s.Resync(ms(1000)))
	require.True(t, s.Resync(ms(15_000)))
	require.False(t, s.Add(noon.Add(-6*time.Minute), noon, 3))
}

// Whatever the order and the losses: what is shown is where the object was Delay ago, while samples come, and it never
// goes where no sample was.
func TestSmootherFollowsTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		truth := func(at time.Time) float64 { return 3 * float64(at.Sub(noon)) / 1e9 }
		s := Smoother[float64]{Between: lerp}
		s.Set(ms(0), 0)
		type late struct {
			at   int
			sent int
		}
		var air []late
		lost := false // never two in a row: then samples would not come for longer than Delay makes up for
		for now := 0; now < 5000; now += 10 {
			if now%50 == 0 {
				lost = !lost && rng.IntN(10) == 0
				if !lost {
					air = append(air, late{now + 5 + rng.IntN(90), now})
				}
			}
			for i := 0; i < len(air); {
				if air[i].at > now {
					i++
					continue
				}
				s.Add(ms(air[i].sent), ms(now), truth(ms(air[i].sent)))
				air = append(air[:i], air[i+1:]...)
			}
			v, _, ok := s.At(ms(now))
			require.True(t, ok)
			want := math.Max(0, truth(ms(now-200)))
			require.InDelta(t, want, v, 0.2, "at %d", now)
			require.LessOrEqual(t, len(s.samples), maxSamples)
		}
	})
}
