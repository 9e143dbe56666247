package enginetest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/wireroom/wireroom/engine"
)

var recordTests = []test{
	{name: "record/IsKeptAndReplaced", run: recordIsKept},
	{name: "record/IsRemovedWhenExpired", run: recordIsRemoved},
	{name: "record/Expires", run: recordExpires},
	{name: "record/ExpiresInTime", run: recordExpiresInTime, virtual: true},
}

// records returns the engine's records, or skips the test.
func (f *fixture) records() engine.Records {
	f.Helper()
	records, ok := f.engine.(engine.Records)
	if !ok {
		f.Skip("the engine keeps no records")
	}
	return records
}

// put stores a record of this test that expires after the given time.
func (f *fixture) put(kind, key, value string, after time.Duration) {
	f.Helper()
	r := engine.Record{Kind: f.name(kind), Key: key, Value: value, Expires: time.Now().Add(after)}
	if err := f.records().PutRecord(context.Background(), r); err != nil {
		f.Fatalf("put %+v: %v", r, err)
	}
}

// listed wants the records of this test to be the given ones, "kind key value" each.
func (f *fixture) listed(want ...string) {
	f.Helper()
	all, err := f.records().ListRecords(context.Background())
	if err != nil {
		f.Fatalf("list: %v", err)
	}
	var got []string
	for _, r := range all {
		kind, mine := strings.CutPrefix(r.Kind, f.name(""))
		if !mine {
			continue
		}
		got = append(got, kind+" "+r.Key+" "+r.Value)
		if left := time.Until(r.Expires); left <= 0 || left > time.Hour+time.Second {
			f.Fatalf("%+v expires in %v", r, left)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		f.Fatalf("the records are %q, want %q", got, want)
	}
}

func recordIsKept(f *fixture) {
	f.listed()
	f.put("kick", "room/alice", "1", time.Hour)
	f.put("kick", "room/bob", "2", time.Hour)
	f.put("block", "room/alice", `any "value"`, time.Hour)
	f.listed("kick room/alice 1", "kick room/bob 2", `block room/alice any "value"`)
	f.put("kick", "room/alice", "3", time.Hour)
	f.listed("kick room/alice 3", "kick room/bob 2", `block room/alice any "value"`)
}

func recordIsRemoved(f *fixture) {
	f.put("kick", "a", "1", time.Hour)
	f.put("kick", "b", "1", time.Hour)
	f.put("kick", "a", "2", -time.Second)
	f.put("kick", "never there", "2", -time.Hour)
	f.listed("kick b 1")
	if err := f.records().PutRecord(context.Background(), engine.Record{Kind: f.name("kick"), Key: "b"}); err != nil {
		f.Fatalf("put a record without a time: %v", err)
	}
	f.listed()
}

func recordExpires(f *fixture) {
	f.put("kick", "short", "1", 300*time.Millisecond)
	f.put("kick", "long", "1", time.Hour)
	deadline := time.Now().Add(patience)
	for {
		all, err := f.records().ListRecords(context.Background())
		expired := !slices.ContainsFunc(all, func(r engine.Record) bool { return r.Kind == f.name("kick") && r.Key == "short" })
		if err != nil || expired {
			break
		}
		if time.Now().After(deadline) {
			f.Fatal("a record is listed beyond its time")
		}
		time.Sleep(20 * time.Millisecond)
	}
	f.listed("kick long 1")
}

func recordExpiresInTime(f *fixture) {
	f.put("kick", "a", "1", time.Minute)
	f.put("kick", "b", "1", time.Hour)
	time.Sleep(time.Minute - time.Millisecond)
	f.listed("kick a 1", "kick b 1")
	f.put("kick", "b", "2", time.Hour) // a later one replaces the time too
	time.Sleep(time.Millisecond)
	f.listed("kick b 2")
	time.Sleep(time.Hour - 2*time.Millisecond)
	f.listed("kick b 2")
	time.Sleep(time.Millisecond)
	f.listed()
}
