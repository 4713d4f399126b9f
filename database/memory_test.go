package database_test

import (
	"context"
	"sync"
	"testing"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/database/databasetest"
)

// The memory backend passes the suite of the real ones; its addresses are the names of tests.
func TestMemory(t *testing.T) {
	var mu sync.Mutex
	backends := make(map[string]*database.Memory)
	databasetest.Run(t, func(t *testing.T) string { return t.Name() },
		func(_ context.Context, address string) (database.Backend, error) {
			mu.Lock()
			defer mu.Unlock()
			b, ok := backends[address]
			if !ok {
				b = database.NewMemory()
				backends[address] = b
			}
			return b, nil
		})
}
