package client_test

import (
	"fmt"
	"time"

	"github.com/otpd/otpd/client"
)

// A position is told ten times a second; the picture has many more frames. The behaviour of an avatar would call Set in
// OnGenerate and Add in OnPos, and the game At for each frame.
func ExampleSmoother() {
	type place struct{ X, Y float64 }
	s := client.Smoother[place]{Between: func(a, b place, f float64) place {
		return place{a.X + (b.X-a.X)*f, a.Y + (b.Y-a.Y)*f}
	}}
	start := time.Unix(0, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	s.Set(at(0), place{0, 0})
	s.Add(at(100), at(130), place{10, 0}) // true at 100 ms, heard at 130 ms
	s.Add(at(200), at(215), place{10, 20})
	for _, ms := range []int{200, 250, 350, 400} {
		p, moving, _ := s.At(at(ms))
		fmt.Println(ms, p, moving)
	}
	// Output:
	// 200 {0 0} false
	// 250 {5 0} true
	// 350 {10 10} true
	// 400 {10 20} true
}
