package bench

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// measured runs jobs once.
func measured(t *testing.T, jobs []Job, err error) *Report {
	t.Helper()
	require.NoError(t, err)
	r, err := Measure(t.Context(), "test", "", "", 1, jobs, nil)
	require.NoError(t, err)
	return r
}

// together starts servers in this process.
func together(t *testing.T) *Launcher {
	t.Helper()
	l := &Launcher{}
	require.NoError(t, l.Prepare())
	return l
}

func (r *Row) value(t *testing.T, name string) float64 {
	t.Helper()
	require.Contains(t, r.Values, name, r.Name)
	return r.Values[name].Median
}

func TestZoneRowsAreAllCombinations(t *testing.T) {
	z := ZoneRows{
		Clients: []int{2, 4}, Zones: []int{1}, Hz: []float64{20}, Agents: []int{1, 2}, Both: true, Bare: true, Flush: time.Millisecond,
		Base: ZoneConfig{For: 200 * time.Millisecond, Warmup: 50 * time.Millisecond}, States: 2,
	}
	jobs, err := z.Jobs(together(t))
	require.NoError(t, err)
	require.Len(t, jobs, 2*2*3)
	z.Clients, z.Agents = []int{4}, []int{2}
	jobs, err = z.Jobs(together(t))
	r := measured(t, jobs, err)
	plain, latest, bare := r.Rows[0], r.Rows[1], r.Rows[2]
	require.Equal(t, "4 clients at 2 agents at 20 Hz", plain.Name)
	require.Equal(t, "4 clients at 2 agents at 20 Hz, coalescing", latest.Name)
	require.Equal(t, "4 clients at 2 agents at 20 Hz, bare quic-go, flush 1ms", bare.Name)
	require.EqualValues(t, 4*4*3, plain.value(t, "deliveries"))
	require.EqualValues(t, 4*4*3, bare.value(t, "deliveries"), "what it says to the sender is no delivery")
	require.Positive(t, latest.value(t, "deliveries"))
	require.Contains(t, latest.Settings, "coalesce")

	z = ZoneRows{
		Clients: []int{6}, Zones: []int{3}, Hz: []float64{2.5}, Bare: true, BesideOne: 5, States: 2,
		Base: ZoneConfig{For: 400 * time.Millisecond, Warmup: 50 * time.Millisecond},
	}
	jobs, err = z.Jobs(together(t))
	r = measured(t, jobs, err)
	require.Len(t, r.Rows, 4)
	for i, name := range []string{"6 clients in 3 zones at 2.5 Hz", "2 clients at 5 Hz"} {
		require.Equal(t, name, r.Rows[2*i].Name)
		require.Equal(t, name+", bare quic-go, at once", r.Rows[2*i+1].Name)
	}
	for _, row := range r.Rows[:2] {
		require.EqualValues(t, 6, row.value(t, "deliveries"), row.Name)
		require.Positive(t, row.value(t, "packets_per_delivery"), row.Name)
	}

	z.Bare, z.Stall = true, []int{1}
	_, err = z.Jobs(together(t))
	require.ErrorIs(t, err, ErrConfig)
	z.Bare, z.Stall, z.Hz = false, nil, []float64{1000}
	_, err = z.Jobs(together(t))
	require.ErrorIs(t, err, ErrConfig)
}

func TestOneZoneHasAsManyDeliveries(t *testing.T) {
	require.Equal(t, 10, oneZone(10, 1, 1))
	require.Equal(t, 301, oneZone(10_000, 1000, 1))   // 90,000 and 90,300
	require.Equal(t, 135, oneZone(10_000, 1000, 0.2)) // 18,000 and 18,090
	require.Equal(t, 3, oneZone(5, 2, 1))             // 3*2 + 2*1, and 3*2
}

func TestWhoStopsReadingIsEjectedAndCountsForNothing(t *testing.T) {
	cfg := ZoneConfig{Clients: 12, Stall: 1, Hz: 200, For: 3 * time.Second, Warmup: 100 * time.Millisecond, Core: -1}
	r := run(t, cfg)
	require.Equal(t, r.Expected, r.Deliveries)
	require.EqualValues(t, 11*10*200*3, r.Expected)
	require.Equal(t, 1, r.Ejected)
	require.EqualValues(t, 346, r.EjectedFor)
	require.Contains(t, r.Sample().Notes, "clients that stopped to read: 1; ejected: 1, with reason 346 (the client does not read fast enough)")

	cfg.Stall = 11
	require.ErrorIs(t, cfg.Validate(), ErrConfig)
}

func TestHighestRateIsFound(t *testing.T) {
	for _, limit := range []int{25, 100, 137, 500, maxHz} {
		tries := 0
		s, err := highest(ZoneConfig{}, 10*time.Millisecond, func(c ZoneConfig) (Sample, error) {
			tries++
			p99 := 5.0
			if c.Hz > 2*float64(limit) {
				return Sample{}, errors.New("ejected")
			}
			if c.Hz > float64(limit) {
				p99 = 50
			}
			return Sample{Values: map[string]float64{"p99_ms": p99, "missing": 0}}, nil
		})
		require.NoError(t, err)
		require.LessOrEqual(t, s.Values["hz"], float64(limit))
		require.GreaterOrEqual(t, s.Values["hz"], float64(limit)*0.85)
		require.Less(t, tries, 14)
	}
	_, err := highest(ZoneConfig{}, time.Millisecond, func(ZoneConfig) (Sample, error) {
		return Sample{Values: map[string]float64{"p99_ms": 5, "missing": 0}}, nil
	})
	require.ErrorContains(t, err, "even at 1 Hz")
	_, err = highest(ZoneConfig{}, time.Millisecond, func(ZoneConfig) (Sample, error) { return Sample{}, errors.New("no server") })
	require.ErrorContains(t, err, "no server")
}

func TestHighestRateOfAServer(t *testing.T) {
	z := ZoneRows{Clients: []int{2}, Highest: time.Minute, Base: ZoneConfig{For: 100 * time.Millisecond, Warmup: 10 * time.Millisecond}}
	jobs, err := z.Jobs(together(t))
	r := measured(t, jobs, err)
	require.Equal(t, "2 clients, p99 below 1m0s", r.Rows[0].Name)
	require.Positive(t, r.Rows[0].value(t, "hz"))
}

func TestFloorIsMeasured(t *testing.T) {
	jobs, err := FloorConfig{For: 300 * time.Millisecond}.Jobs(together(t))
	r := measured(t, jobs, err)
	require.Len(t, r.Rows, 5)
	for _, row := range r.Rows[:3] {
		require.Positive(t, row.value(t, "mb_per_s"), row.Name)
	}
	for _, row := range r.Rows[3:] {
		require.Positive(t, row.value(t, "p50_ms"), row.Name)
	}
	_, err = FloorConfig{}.Jobs(together(t))
	require.ErrorIs(t, err, ErrConfig)
}

func TestPinNeedsTwoProcesses(t *testing.T) {
	require.ErrorIs(t, (&Launcher{Pin: true}).Prepare(), ErrConfig)
}
