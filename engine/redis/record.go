package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/wireroom/wireroom/engine"
)

const (
	maxRecords  = 1_000_000
	recordsRoom = "$records" // in which they are told of
)

// PutRecord implements engine.Records. At most 1,000,000 records are kept; a further one is refused with
// engine.ErrStorageFull.
func (e *Engine) PutRecord(ctx context.Context, r engine.Record) error {
	if err := e.putRecord(ctx, r); err != nil {
		return fmt.Errorf("redis: record %s %q: %w", r.Kind, r.Key, err)
	}
	return nil
}

func (e *Engine) putRecord(ctx context.Context, r engine.Record) error {
	if err := e.begin(); err != nil {
		return err
	}
	defer e.end()
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	stored, err := e.do(ctx, e.scripts.put, e.names.records(), recordName(r), string(value),
		unixMilli(r.Expires), unixMilli(time.Now()), strconv.Itoa(maxRecords),
		e.names.channel(recordsRoom), e.publishCommand()).ToInt64()
	switch {
	case err != nil:
		return failure(err, engine.ErrTimeout)
	case stored == 0:
		return engine.ErrStorageFull
	}
	return nil
}

// ListRecords implements engine.Records.
func (e *Engine) ListRecords(ctx context.Context) ([]engine.Record, error) {
	list, err := e.listRecords(ctx)
	if err != nil {
		return nil, fmt.Errorf("redis: records: %w", err)
	}
	return list, nil
}

func (e *Engine) listRecords(ctx context.Context) ([]engine.Record, error) {
	if err := e.begin(); err != nil {
		return nil, err
	}
	defer e.end()
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	values, err := e.client.Do(ctx, e.client.B().Hvals().Key(e.names.records()[0]).Build()).AsStrSlice()
	if err != nil {
		return nil, failure(err, engine.ErrUnavailable)
	}
	now := time.Now()
	list := make([]engine.Record, 0, len(values))
	for _, value := range values {
		var r engine.Record
		if err := json.Unmarshal([]byte(value), &r); err != nil {
			return nil, err
		}
		if r.Expires.After(now) {
			list = append(list, r)
		}
	}
	return list, nil
}

// readRecord hands over a record that was put.
func (f *feeder) readRecord(text string) error {
	var r engine.Record
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return err
	}
	f.engine.lease.feed.Recorded(r)
	return nil
}

// recordName is what a record is kept under.
func recordName(r engine.Record) string {
	return strconv.Itoa(len(r.Kind)) + ":" + r.Kind + ":" + r.Key
}

// unixMilli returns a time as the script has it; one before 1970 has expired.
func unixMilli(t time.Time) string { return strconv.FormatInt(max(t.UnixMilli(), 0), 10) }
