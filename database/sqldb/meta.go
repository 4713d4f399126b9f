package sqldb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
)

// format is the version of the tables that are otpd's own. A release that changes them raises it and converts from
// the versions before.
const format = 2

// outcomeTable came with format 2.
const outcomeTable = `CREATE TABLE otpd_outcome (tx {id} PRIMARY KEY NOT NULL, committed {bool} NOT NULL, decided {time} NOT NULL)`

// metaTables makes otpd's own tables. {id} is the type of a DoID, {time} of a time, {bool} of a bool.
var metaTables = []string{
	`CREATE TABLE otpd_meta (one integer PRIMARY KEY CHECK (one = 1), format integer NOT NULL, cluster {id}, partitions integer, created {time})`,
	`CREATE TABLE otpd_schema (one integer PRIMARY KEY CHECK (one = 1), version bigint NOT NULL, text text NOT NULL, updated {time} NOT NULL)`,
	`CREATE TABLE otpd_partition (partition integer PRIMARY KEY, epoch bigint NOT NULL)`,
	`CREATE TABLE otpd_object (otpd_id {id} PRIMARY KEY NOT NULL, class text NOT NULL)`,
	outcomeTable,
}

// conversions lead from one format to the next: the first from 1 to 2.
var conversions = [][]string{
	{outcomeTable},
}

// checkFormat looks at the format of the database, makes the tables of an empty one and converts those of an earlier
// release.
func (b *Backend) checkFormat(ctx context.Context) error {
	got := 0
	err := b.engine.transact(ctx, reading, func(tx transaction) (err error) {
		got, err = b.readFormat(ctx, tx)
		return err
	})
	if err != nil || got == format {
		return err
	}
	return b.engine.transact(ctx, writing, func(tx transaction) error {
		if err := b.lockSchema(ctx, tx); err != nil {
			return err
		}
		// Somebody else may have done it since.
		got, err := b.readFormat(ctx, tx)
		switch {
		case err != nil || got == format:
			return err
		case got == 0:
			return b.makeMeta(ctx, tx)
		}
		return b.convert(ctx, tx, got)
	})
}

func (b *Backend) makeMeta(ctx context.Context, tx transaction) error {
	if err := b.runMeta(ctx, tx, metaTables); err != nil {
		return err
	}
	q := builder{d: b.d}
	q.text("INSERT INTO otpd_meta (one, format) VALUES (1, %s)", q.param(int64(format)))
	_, err := tx.query(ctx, q.statement())
	return err
}

// convert brings the tables of an earlier format up to date.
func (b *Backend) convert(ctx context.Context, tx transaction, from int) error {
	for _, statements := range conversions[from-1:] {
		if err := b.runMeta(ctx, tx, statements); err != nil {
			return fmt.Errorf("convert from format %d: %w", from, err)
		}
	}
	q := builder{d: b.d}
	q.text("UPDATE otpd_meta SET format = %s", q.param(int64(format)))
	_, err := tx.query(ctx, q.statement())
	return err
}

func (b *Backend) runMeta(ctx context.Context, tx transaction, statements []string) error {
	for _, text := range statements {
		text = strings.NewReplacer("{id}", b.d.idDecl(), "{time}", b.d.timeDecl(), "{bool}", b.d.boolDecl()).Replace(text)
		if _, err := tx.query(ctx, statement{sql: text}); err != nil {
			return err
		}
	}
	return nil
}

// readFormat tells the format of otpd's tables, 0 if they are not there, and refuses those of a newer release.
func (b *Backend) readFormat(ctx context.Context, tx transaction) (int, error) {
	rows, err := tx.query(ctx, statement{sql: b.d.metaExists()})
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	rows, err = tx.query(ctx, statement{sql: "SELECT format FROM otpd_meta"})
	if err != nil {
		return 0, err
	}
	if len(rows) != 1 {
		return 0, fmt.Errorf("%w: otpd_meta has %d rows", database.ErrSchema, len(rows))
	}
	got, ok := asInt(rows[0][0])
	if !ok || got < 1 {
		return 0, fmt.Errorf("%w: otpd_meta has the format %v", database.ErrSchema, rows[0][0])
	}
	if got > format {
		return 0, fmt.Errorf("%w: %d, and this release knows up to %d: use a newer otpd", database.ErrNewer, got, format)
	}
	return int(got), nil
}

// lockSchema keeps others from changing tables until the transaction ends.
func (b *Backend) lockSchema(ctx context.Context, tx transaction) error {
	if text := b.d.lockSchema(); text != "" {
		_, err := tx.query(ctx, statement{sql: text})
		return err
	}
	return nil
}

// Cluster implements database.Backend.
func (b *Backend) Cluster(ctx context.Context, want database.Cluster) (database.Cluster, error) {
	got := database.Cluster{}
	err := b.engine.transact(ctx, writing, func(tx transaction) error {
		q := builder{d: b.d}
		q.text("UPDATE otpd_meta SET cluster = %s, partitions = %s, created = %s WHERE cluster IS NULL RETURNING 1",
			q.param(b.d.id(want.ID)), q.param(int64(want.Partitions)), q.param(b.d.scalarParam(wholeMicros(want.Created.UTC()))))
		if _, err := tx.query(ctx, q.statement()); err != nil {
			return err
		}
		rows, err := tx.query(ctx, statement{sql: "SELECT cluster, partitions, created FROM otpd_meta"})
		if err != nil {
			return err
		}
		got, err = readCluster(rows)
		return err
	})
	if err != nil {
		return database.Cluster{}, fmt.Errorf("database: cluster record: %w", err)
	}
	return got, nil
}

// ReadCluster reads the cluster record; made is false if there is none yet.
func (b *Backend) ReadCluster(ctx context.Context) (c database.Cluster, made bool, err error) {
	err = b.engine.transact(ctx, reading, func(tx transaction) error {
		rows, err := tx.query(ctx, statement{sql: "SELECT cluster, partitions, created FROM otpd_meta WHERE cluster IS NOT NULL"})
		if err != nil || len(rows) == 0 {
			return err
		}
		made = true
		c, err = readCluster(rows)
		return err
	})
	if err != nil {
		return c, false, fmt.Errorf("database: cluster record: %w", err)
	}
	return c, made, nil
}

func readCluster(rows []sqlRow) (database.Cluster, error) {
	if len(rows) == 1 {
		id, okID := asUUID(rows[0][0])
		partitions, okPartitions := asInt(rows[0][1])
		created, okCreated := asTime(rows[0][2])
		if okID && okPartitions && okCreated && partitions > 0 && partitions <= math.MaxUint16 {
			return database.Cluster{ID: do.ID(id), Partitions: uint16(partitions), Created: created.UTC().Truncate(time.Microsecond)}, nil
		}
	}
	return database.Cluster{}, fmt.Errorf("%w: otpd_meta has %v", database.ErrValue, rows)
}

// RaiseEpoch implements database.Backend.
func (b *Backend) RaiseEpoch(ctx context.Context, partitions []do.Partition) (uint32, error) {
	sorted := slices.Clone(partitions)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	var next int64
	err := b.engine.transact(ctx, writing, func(tx transaction) (err error) {
		if err := b.lockEpochs(ctx, tx); err != nil {
			return err
		}
		// Of all partitions, not of these alone: so that an epoch is given once, and tells who got it.
		rows, err := tx.query(ctx, statement{sql: "SELECT COALESCE(MAX(epoch), 0) FROM otpd_partition"})
		if err != nil {
			return err
		}
		last, ok := asInt(rows[0][0])
		if !ok || last < 0 || last >= math.MaxUint32 {
			return fmt.Errorf("%w: %v is the last epoch", database.ErrValue, rows[0][0])
		}
		next = last + 1
		return b.writeEpochs(ctx, tx, sorted, next)
	})
	if err != nil {
		return 0, fmt.Errorf("database: raise epoch: %w", err)
	}
	return uint32(next), nil
}

// lockEpochs keeps other calls of RaiseEpoch out. Batches that are under way are met at their rows.
func (b *Backend) lockEpochs(ctx context.Context, tx transaction) error {
	if text := b.d.lockEpochs(); text != "" {
		_, err := tx.query(ctx, statement{sql: text})
		return err
	}
	return nil
}

func (b *Backend) writeEpochs(ctx context.Context, tx transaction, partitions []do.Partition, epoch int64) error {
	for _, p := range partitions {
		q := builder{d: b.d}
		q.text("INSERT INTO otpd_partition (partition, epoch) VALUES (%s, %s) ON CONFLICT (partition) DO UPDATE SET epoch = excluded.epoch",
			q.param(int64(p)), q.param(epoch))
		if _, err := tx.query(ctx, q.statement()); err != nil {
			return err
		}
	}
	return nil
}

// Schema implements database.Backend.
func (b *Backend) Schema(ctx context.Context) (database.SchemaRecord, error) {
	var record database.SchemaRecord
	err := b.engine.transact(ctx, reading, func(tx transaction) (err error) {
		record, err = b.readSchema(ctx, tx)
		return err
	})
	if err != nil {
		return database.SchemaRecord{}, fmt.Errorf("database: schema record: %w", err)
	}
	return record, nil
}

func (b *Backend) readSchema(ctx context.Context, tx transaction) (database.SchemaRecord, error) {
	rows, err := tx.query(ctx, statement{sql: "SELECT version, text FROM otpd_schema"})
	if err != nil || len(rows) == 0 {
		return database.SchemaRecord{}, err
	}
	version, okVersion := asInt(rows[0][0])
	text, okText := rows[0][1].(string)
	if !okVersion || !okText || version < 1 {
		return database.SchemaRecord{}, fmt.Errorf("%w: otpd_schema has %v", database.ErrValue, rows)
	}
	return database.SchemaRecord{Version: uint64(version), Text: []byte(text)}, nil
}

// SetSchema implements database.Backend.
func (b *Backend) SetSchema(ctx context.Context, expect uint64, s *do.Schema) (uint64, error) {
	err := b.engine.transact(ctx, writing, func(tx transaction) error {
		if err := b.lockSchema(ctx, tx); err != nil {
			return err
		}
		record, err := b.readSchema(ctx, tx)
		if err != nil {
			return err
		}
		if record.Version != expect {
			return fmt.Errorf("%w: %d, expected %d", database.ErrSchemaVersion, record.Version, expect)
		}
		if err := b.migrate(ctx, tx, s); err != nil {
			return err
		}
		return b.writeSchema(ctx, tx, expect+1, s.Text())
	})
	if err != nil {
		return 0, fmt.Errorf("database: set schema: %w", err)
	}
	return expect + 1, nil
}

func (b *Backend) writeSchema(ctx context.Context, tx transaction, version uint64, text []byte) error {
	q := builder{d: b.d}
	q.text("INSERT INTO otpd_schema (one, version, text, updated) VALUES (1, %s, %s, %s)", q.param(int64(version)), q.param(string(text)), b.d.now())
	q.text(" ON CONFLICT (one) DO UPDATE SET version = excluded.version, text = excluded.text, updated = excluded.updated")
	_, err := tx.query(ctx, q.statement())
	return err
}

// migrate runs the additive statements of the plan for s, unless it has destructive ones.
func (b *Backend) migrate(ctx context.Context, tx transaction, s *do.Schema) error {
	plan, err := b.plan(ctx, tx, s)
	if err != nil {
		return err
	}
	if len(plan.Destructive) > 0 {
		return destructiveError(plan.Destructive)
	}
	for _, text := range plan.Additive {
		_, err := tx.query(ctx, statement{sql: text})
		var violation *uniqueError
		if errors.As(err, &violation) {
			return fmt.Errorf("%w: rows have the same value, so this fails: %s", database.ErrDestructive, text)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}
