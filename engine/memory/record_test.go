package memory

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/engine"
)

func TestRecordsAreBounded(t *testing.T) {
	e := opened(t, Options{})
	e.records.max = 3
	put := func(key string, after time.Duration) error {
		return e.PutRecord(context.Background(), engine.Record{Kind: "kick", Key: key, Expires: time.Now().Add(after)})
	}
	for i := range 3 {
		if err := put(strconv.Itoa(i), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if err := put("3", time.Hour); !errors.Is(err, engine.ErrStorageFull) {
		t.Fatalf("one too many: %v", err)
	}
	if err := put("2", time.Minute); err != nil { // which replaces one
		t.Fatal(err)
	}
	for _, key := range []string{"3", "1"} { // the first was never there
		if err := put(key, -time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if err := put("3", time.Hour); err != nil || len(e.records.live) != 3 {
		t.Fatalf("%v; %d records", err, len(e.records.live))
	}
}

// Otherwise a jump of the wall clock would move it.
func TestRecordExpiresByTheWallClock(t *testing.T) {
	e := opened(t, Options{})
	r := engine.Record{Kind: "kick", Key: "k", Expires: time.Now().Add(time.Hour)}
	if err := e.PutRecord(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	list, err := e.ListRecords(context.Background())
	if err != nil || len(list) != 1 || !list[0].Expires.Equal(r.Expires) || strings.Contains(list[0].Expires.String(), "m=") {
		t.Fatalf("%v, %v", list, err)
	}
}
