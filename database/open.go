package database

import (
	"context"
	"fmt"
	"math"

	"github.com/otpd/otpd/do"
)

// DefaultPartitions is how many partitions a new cluster has unless it is told otherwise.
const DefaultPartitions = 16

// Opening is what a process needs to know of the database before its roles begin.
type Opening struct {
	Cluster    Cluster
	Partitions []do.Partition // all of the cluster: 0, of the well-known ids, and those of created objects
	Epoch      uint32         // the one that they have from now on: for the state servers that hold them
	Schema     *do.Schema     // nil while there is none
}

// Begin takes a cluster over: it makes the cluster record if there is none, as want has it (without partitions:
// DefaultPartitions), checks that the schema record can be read, and raises the epoch of all partitions, so that from
// now on the writes of whoever had them before are refused (rule 139).
func Begin(ctx context.Context, b Backend, want Cluster) (Opening, error) {
	if want.Partitions == 0 {
		want.Partitions = DefaultPartitions
	}
	if want.Partitions == math.MaxUint16 {
		return Opening{}, fmt.Errorf("database: begin: %d partitions: %w", want.Partitions, ErrConfig)
	}
	var o Opening
	var err error
	if o.Cluster, err = b.Cluster(ctx, want); err != nil {
		return Opening{}, fmt.Errorf("database: begin: %w", err)
	}
	record, err := b.Schema(ctx)
	if err != nil {
		return Opening{}, fmt.Errorf("database: begin: %w", err)
	}
	if record.Version > 0 {
		if o.Schema, err = do.ParseSchema(record.Text); err != nil {
			return Opening{}, fmt.Errorf("database: begin: schema record %d: %w: %w", record.Version, errSchemaText, err)
		}
	}
	for p := range o.Cluster.Partitions + 1 {
		o.Partitions = append(o.Partitions, do.Partition(p))
	}
	if o.Epoch, err = b.RaiseEpoch(ctx, o.Partitions); err != nil {
		return Opening{}, fmt.Errorf("database: begin: %w", err)
	}
	return o, nil
}
