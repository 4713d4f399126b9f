package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMixedWorldIsMeasured(t *testing.T) {
	cfg := MixedConfig{
		Clients: []int{12}, Zones: 12, Hz: 20, StepEvery: 200 * time.Millisecond, SayEvery: 200 * time.Millisecond, AskEvery: 200 * time.Millisecond,
		For: 1500 * time.Millisecond, Warmup: 100 * time.Millisecond, Agents: 2,
	}
	jobs, err := cfg.Jobs(together(t))
	r := measured(t, jobs, err)
	row := r.Rows[0]
	require.Equal(t, "12 clients on 12 zones at 20 Hz", row.Name)
	require.InDelta(t, 12*20*1.5, row.value(t, "updates"), 12)
	require.Greater(t, row.value(t, "deliveries"), row.value(t, "updates"), "nearly everybody sees nearly everybody")
	require.Less(t, row.value(t, "deliveries"), 1.5*11*row.value(t, "updates"))
	for _, name := range []string{"p50_ms", "chat_p50_ms", "call_p50_ms", "open_p50_ms"} {
		require.Positive(t, row.value(t, name), name)
	}
	for name, change := range map[string]func(*MixedConfig){
		"no grid": func(c *MixedConfig) { c.Zones = 4 }, "no rate": func(c *MixedConfig) { c.Hz = 0 }, "no time": func(c *MixedConfig) { c.For = 0 },
		"no steps": func(c *MixedConfig) { c.StepEvery = 0 }, "nobody": func(c *MixedConfig) { c.Clients = []int{0} },
	} {
		c := cfg
		change(&c)
		_, err := c.Jobs(together(t))
		require.ErrorIs(t, err, ErrConfig, name)
	}
}

func TestWalkersStayOnTheGrid(t *testing.T) {
	w := &walk{cells: MixedConfig{Zones: 1000}.grid()}
	require.Equal(t, cells{31, 32}, w.cells)
	k := &walker{w: w, asked: map[uint32]time.Duration{}}
	require.EqualValues(t, []uint32{1, 2, 32, 33}, asNumbers(k))
	k.cell = 31 + 1
	require.Len(t, k.around(), 9)
	k.cell = 31*32 - 1
	require.Len(t, k.around(), 4)
	for range 10_000 {
		k.step(nil, 0)
		require.GreaterOrEqual(t, k.cell, 0)
		require.Less(t, k.cell, 31*32)
		require.Contains(t, k.around(), k.zone())
	}
}

func asNumbers(k *walker) (out []uint32) {
	for _, z := range k.around() {
		out = append(out, uint32(z))
	}
	return out
}

func TestIdleSessionsAreMeasured(t *testing.T) {
	jobs, err := IdleConfig{Sessions: []int{20}, For: 100 * time.Millisecond}.Jobs(together(t))
	r := measured(t, jobs, err)
	require.EqualValues(t, 20, r.Rows[0].value(t, "sessions"))
	require.Positive(t, r.Rows[0].value(t, "heap_bytes_per_session"))
	require.Positive(t, r.Rows[0].value(t, "goroutines_per_session"))
	_, err = IdleConfig{Sessions: []int{0}, For: time.Second}.Jobs(together(t))
	require.ErrorIs(t, err, ErrConfig)
}

func TestLoginsAreMeasured(t *testing.T) {
	cfg := LoginConfig{Clients: 6, AtOnce: 3, Ways: LoginWays}
	jobs, err := cfg.Jobs(together(t))
	r := measured(t, jobs, err)
	require.Len(t, r.Rows, 3)
	require.Equal(t, "6 logins by password, at once", r.Rows[1].Name)
	for _, row := range r.Rows {
		require.Positive(t, row.value(t, "operations_per_s"), row.Name)
		require.Positive(t, row.value(t, "p50_ms"), row.Name)
		require.GreaterOrEqual(t, row.value(t, "retries"), 0.0)
	}
	cfg.Rate, cfg.Ways = 50, []string{byGate}
	jobs, err = cfg.Jobs(together(t))
	r = measured(t, jobs, err)
	require.Less(t, r.Rows[0].value(t, "operations_per_s"), 61.0, "the last of six begins after 100 ms")
	cfg.Clients = 0
	_, err = cfg.Jobs(together(t))
	require.ErrorIs(t, err, ErrConfig)
}
