package messagedirector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/otpd/otpd/do"
)

// The states of a node's record.
const (
	stateAlive = "alive" // renewed by the node itself
	stateLeft  = "left"  // it said goodbye, after it had routed its post-removes
	stateDead  = "dead"  // declared dead by By, who runs its will; Done when that has been done
)

// record is what the registry knows of a node: the value of the key node.ID, as JSON.
type record struct {
	Node  do.ID  `json:"node"`
	Name  string `json:"name"`
	Epoch uint64 `json:"epoch"`
	State string `json:"state"`
	Beat  uint64 `json:"beat"` // counts renewals
	By    do.ID  `json:"by"`   // of a dead node: who runs its will
	Done  bool   `json:"done"` // of a dead node: its will has been run

	revision uint64 // of the key: what a compare-and-set names
}

// errLost says that a compare-and-set found another revision.
var errLost = errors.New("compare-and-set lost")

// registry is the cluster's bucket of leases.
type registry struct{ kv jetstream.KeyValue }

const (
	epochKey   = "epoch"
	nodePrefix = "node."
)

// openRegistry opens the bucket of a cluster, and makes it if it does not exist.
func openRegistry(ctx context.Context, js jetstream.JetStream, cluster string) (*registry, error) {
	kv, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: "otp_" + cluster, History: 1, Storage: jetstream.FileStorage,
		Description: "leases and nodes of the otpd cluster " + cluster,
	})
	if err != nil {
		return nil, fmt.Errorf("messagedirector: open registry of %q: %w", cluster, err)
	}
	return &registry{kv: kv}, nil
}

// nextEpoch gives an epoch that nobody had before.
func (r *registry) nextEpoch(ctx context.Context) (uint64, error) {
	for {
		e, err := r.kv.Get(ctx, epochKey)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			_, err = r.kv.Create(ctx, epochKey, []byte("1"))
			if err == nil {
				return 1, nil
			}
			if errors.Is(err, jetstream.ErrKeyExists) {
				continue
			}
		}
		if err != nil {
			return 0, fmt.Errorf("messagedirector: next epoch: %w", err)
		}
		n, err := strconv.ParseUint(string(e.Value()), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("messagedirector: next epoch: %w", err)
		}
		_, err = r.kv.Update(ctx, epochKey, strconv.AppendUint(nil, n+1, 10), e.Revision())
		switch {
		case err == nil:
			return n + 1, nil
		case !isLost(err):
			return 0, fmt.Errorf("messagedirector: next epoch: %w", err)
		}
	}
}

func isLost(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return true
	}
	return errors.Is(err, jetstream.ErrKeyExists)
}

// create enters a new node.
func (r *registry) create(ctx context.Context, rec *record) error {
	b, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("messagedirector: enter node %s: %w", rec.Node, err)
	}
	rec.revision, err = r.kv.Create(ctx, nodePrefix+rec.Node.String(), b)
	if err != nil {
		return fmt.Errorf("messagedirector: enter node %s: %w", rec.Node, err)
	}
	return nil
}

// swap replaces the record that has rec's revision by rec. errLost: somebody was faster.
func (r *registry) swap(ctx context.Context, rec *record) error {
	b, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("messagedirector: write node %s: %w", rec.Node, err)
	}
	revision, err := r.kv.Update(ctx, nodePrefix+rec.Node.String(), b, rec.revision)
	switch {
	case err == nil:
		rec.revision = revision
		return nil
	case isLost(err):
		return fmt.Errorf("messagedirector: write node %s: %w", rec.Node, errLost)
	}
	return fmt.Errorf("messagedirector: write node %s: %w", rec.Node, err)
}

// get reads a node's record; nil if there is none.
func (r *registry) get(ctx context.Context, node do.ID) (*record, error) {
	e, err := r.kv.Get(ctx, nodePrefix+node.String())
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("messagedirector: read node %s: %w", node, err)
	}
	return parseRecord(e)
}

// remove forgets the record that has rec's revision; it may be gone or changed already.
func (r *registry) remove(ctx context.Context, rec *record) error {
	err := r.kv.Purge(ctx, nodePrefix+rec.Node.String(), jetstream.LastRevision(rec.revision))
	if err != nil && !isLost(err) {
		return fmt.Errorf("messagedirector: forget node %s: %w", rec.Node, err)
	}
	return nil
}

// tidy removes what is left of records that were removed long ago.
func (r *registry) tidy(ctx context.Context) error {
	if err := r.kv.PurgeDeletes(ctx); err != nil {
		return fmt.Errorf("messagedirector: tidy registry: %w", err)
	}
	return nil
}

// watch delivers every record, then nil, then every change.
func (r *registry) watch(ctx context.Context) (jetstream.KeyWatcher, error) {
	w, err := r.kv.Watch(ctx, nodePrefix+">")
	if err != nil {
		return nil, fmt.Errorf("messagedirector: watch nodes: %w", err)
	}
	return w, nil
}

// parseRecord reads an entry of the bucket. A deleted record has the state dead, done.
func parseRecord(e jetstream.KeyValueEntry) (*record, error) {
	rec := &record{}
	if e.Operation() == jetstream.KeyValuePut {
		if err := json.Unmarshal(e.Value(), rec); err != nil {
			return nil, fmt.Errorf("messagedirector: record %s: %w", e.Key(), err)
		}
	} else {
		id, err := do.ParseID(strings.TrimPrefix(e.Key(), nodePrefix))
		if err != nil {
			return nil, fmt.Errorf("messagedirector: record %s: %w", e.Key(), err)
		}
		rec.Node, rec.State, rec.Done = id, stateDead, true
	}
	rec.revision = e.Revision()
	return rec, nil
}
