package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/otpd/otpd/examples/tavern"
)

// receipts is what the bots of earlier runs were told last about their gold, kept in the data directory apart from the
// database: what a player would remember.
type receipts struct {
	path string
	Gold map[string]int64 `json:"gold"` // by account
}

// loadReceipts reads those of a database, none if there are none. Each database has its own.
func loadReceipts(dir, db string) (*receipts, error) {
	name := "receipts.json"
	if db != "" {
		sum := sha256.Sum256([]byte(db))
		name = "receipts-" + hex.EncodeToString(sum[:4]) + ".json"
	}
	r := &receipts{path: filepath.Join(dir, name), Gold: map[string]int64{}}
	raw, err := os.ReadFile(r.path)
	if errors.Is(err, os.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("receipts: %w", err)
	}
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("receipts %s: %w", r.path, err)
	}
	return r, nil
}

func (r *receipts) known(account string) bool {
	_, ok := r.Gold[account]
	return ok
}

// compare counts the accounts of earlier runs that were found with the gold that they were told of last; one that was not is
// an error.
func (r *receipts) compare(bots []*tavern.Bot) (persisted int, err error) {
	for _, b := range bots {
		want, ok := r.Gold[b.Name()]
		if !ok {
			continue
		}
		switch got, arrived := b.FirstGold(); {
		case !arrived:
		case got != want:
			err = errors.Join(err, fmt.Errorf("%s came back with %d gold; it was told last that it had %d", b.Name(), got, want))
		default:
			persisted++
		}
	}
	return persisted, err
}

// save stores what the bots know now, for the next run.
func (r *receipts) save(bots []*tavern.Bot) error {
	for _, b := range bots {
		if gold, ok := b.Gold(); ok {
			r.Gold[b.Name()] = gold
		}
	}
	raw, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return fmt.Errorf("receipts: %w", err)
	}
	if err := os.WriteFile(r.path+".new", raw, 0o600); err != nil {
		return fmt.Errorf("receipts: %w", err)
	}
	return os.Rename(r.path+".new", r.path)
}
