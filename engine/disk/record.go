package disk

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/wireroom/wireroom/engine"
)

// maxRecords bounds the records.
const maxRecords = 1_000_000

// appendRecord writes r, which goes under key, over b.
func appendRecord(b, key []byte, r *engine.Record) []byte {
	b = appendString(begin(b), r.Value)
	b = binary.AppendVarint(b, r.Expires.Unix())
	return seal(binary.AppendUvarint(b, uint64(r.Expires.Nanosecond())), key)
}

// decodeRecord reads what appendRecord wrote.
func decodeRecord(key, record []byte) (engine.Record, error) {
	d, err := unseal(key, record)
	if err != nil {
		return engine.Record{}, err
	}
	r := engine.Record{Value: d.string()}
	r.Expires = time.Unix(d.varint(), int64(d.uvarint()))
	kind, rest, ok := cutText(key[1:])
	if ok {
		r.Kind = kind
		r.Key, _, ok = cutText(rest)
	}
	if !ok {
		return r, errShort
	}
	return r, d.err()
}

// PutRecord implements engine.Records: the record is synced when it returns. At most 1,000,000 records are kept; a
// further one is refused with engine.ErrStorageFull. When ctx ends first, the error is an engine.ErrTimeout.
func (e *Engine) PutRecord(ctx context.Context, r engine.Record) error {
	done := make(chan error, 1)
	err := e.queue.push(request{
		work: func(c *committer, t *turn) error { return c.putRecord(t, r) },
		done: func(_ engine.Receipt, err error) { done <- err },
		size: int64(200 + len(r.Kind) + len(r.Key) + len(r.Value)),
	})
	if err == nil {
		select {
		case err = <-done:
		case <-ctx.Done():
			err = fmt.Errorf("%w: %w", engine.ErrTimeout, context.Cause(ctx))
		}
	}
	if err != nil {
		return fmt.Errorf("disk: record %s %q: %w", r.Kind, r.Key, err)
	}
	return nil
}

// putRecord writes r, or removes it if it has expired.
func (c *committer) putRecord(t *turn, r engine.Record) error {
	key := recordKey(nil, r.Kind, r.Key)
	known, written := t.records[string(key)]
	if !written {
		record, err := lookup(c.store.db, key)
		if err != nil {
			return damaged("", 0, err)
		}
		known = record != nil
	}
	live := r.Expires.UnixMilli() > t.wall
	switch {
	case !live && !known:
		return nil
	case !live:
		c.records--
		t.delete(key)
	case !known && c.records >= maxRecords, c.space.short():
		return engine.ErrStorageFull
	case !known:
		c.records++
	}
	if live {
		t.set(key, appendRecord(nil, key, &r))
	}
	t.records = note(t.records, string(key), live)
	return nil
}

// ListRecords implements engine.Records.
func (e *Engine) ListRecords(context.Context) ([]engine.Record, error) {
	list, err := e.listRecords()
	if err != nil {
		return nil, fmt.Errorf("disk: records: %w", err)
	}
	return list, nil
}

func (e *Engine) listRecords() ([]engine.Record, error) {
	v, err := e.view()
	if err != nil {
		return nil, err
	}
	defer e.views.release(v)
	list, now := []engine.Record{}, time.UnixMilli(e.clock.wall())
	err = eachRecord(v.snapshot, []byte{recordSpace}, func(_ []byte, r engine.Record) bool {
		if r.Expires.After(now) {
			list = append(list, r)
		}
		return true
	})
	return list, err
}

// eachRecord calls f with each record whose key is from on, until f returns false.
func eachRecord(src pebble.Reader, from []byte, f func(key []byte, r engine.Record) bool) error {
	iter, err := src.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: []byte{recordSpace + 1}})
	if err != nil {
		return damaged("", 0, err)
	}
	defer func() { _ = iter.Close() }() // what went wrong is in iter.Error
	for valid := iter.First(); valid; valid = iter.Next() {
		record, err := iter.ValueAndErr()
		if err != nil {
			return damaged("", 0, err)
		}
		r, err := decodeRecord(iter.Key(), record)
		if err != nil {
			return damaged("", 0, err)
		}
		if !f(iter.Key(), r) {
			return nil
		}
	}
	if err := iter.Error(); err != nil {
		return damaged("", 0, err)
	}
	return nil
}
