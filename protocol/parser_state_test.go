package protocol

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestStopsAndResumesBetweenEnvelopes(t *testing.T) {
	frame := "[" + smallPublish + " , {\"type\":\"x\",\"type\":\"y\"}\n,{\"type\":\"ping\",\"id\":3} ]\n"
	var p Parser
	want, err := readAll(&p, frame)
	if err != nil || len(want) != 3 {
		t.Fatal(want, err)
	}
	for stop := range len(want) + 1 {
		if err := p.Start([]byte(frame)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for range stop {
			var r Request
			if ok, _ := p.Next(&r); !ok {
				t.Fatal("too few")
			}
		}
		offset := p.Offset()
		if done := offset == len(frame); done != (stop == len(want)) {
			t.Errorf("offset %d after %d envelopes", offset, stop)
		}
		if _, err := readAll(&p, `{"type":"another frame in between"}`); err != nil {
			t.Fatal(err)
		}
		p.Resume([]byte(frame), offset)
		if got = readRest(&p); strings.Join(got, " ") != strings.Join(want[stop:], " ") {
			t.Errorf("resumed at %d: %q, want %q", offset, got, want[stop:])
		}
	}
}

func TestSmallPublishDoesNotAllocate(t *testing.T) {
	var p Parser
	var r Request
	frame := []byte(smallPublish)
	binary := binaryFrame(`{"type":"publish","room":"a","x":1,"y":[]}`, "payload")
	n := testing.AllocsPerRun(100, func() {
		parseFrame(t, &p, &r, frame)
		if err := p.Binary(binary, &r); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestKeepsNothingOfTheLastEnvelope(t *testing.T) {
	var p Parser
	var r Request
	if err := p.Start([]byte(`[{"type":"join","id":1,"room":"a","last":3,"presence":true,"echo":false},{"type":"leave"}]`)); err != nil {
		t.Fatal(err)
	}
	_, _ = p.Next(&r)
	if ok, err := p.Next(&r); !ok || err != nil || r.Has != HasType || len(r.ID)+len(r.Room)+r.Last != 0 || r.Presence || r.NoEcho {
		t.Fatalf("got %+v, %v", r, err)
	}
}

func TestNeverTouchesTheFrame(t *testing.T) {
	frame := []byte(`[{"type":"\u0078","id":"\u0079","room":"a\nb"},{"type":"y","id":1,"room":"r"},{"type":"long enough to be overwritten"}]`)
	before := bytes.Clone(frame)
	var p Parser
	if err := p.Start(frame); err != nil {
		t.Fatal(err)
	}
	var r Request
	for ok, _ := p.Next(&r); ok; ok, _ = p.Next(&r) {
		for _, field := range [][]byte{r.Type, r.ID, r.Room, r.Raw} {
			_ = append(field, "!"...) // a caller's append must not reach into the frame or into another field
		}
		if bytes.ContainsRune(r.Type, '!') || bytes.ContainsRune(r.Room, '!') {
			t.Errorf("got type %s, room %s", r.Type, r.Room)
		}
	}
	if !bytes.Equal(frame, before) {
		t.Fatalf("the frame is %s", frame)
	}
}

func TestKeepsLittleMemory(t *testing.T) {
	var p Parser
	big := `{"type":"x","room":"` + strings.Repeat(`\n`, 50_000) + `"`
	for i := range 1000 {
		big += fmt.Sprintf(`,"k%d":1`, i)
	}
	frame := `[` + big + `}` + strings.Repeat(`,{"type":"x","room":"\n","\n":1}`, MaxRequests-1) + `]`
	for range 5 {
		if _, err := readAll(&p, frame); err != nil {
			t.Fatal(err)
		}
		if kept := cap(p.scratch) + cap(p.unknown.text) + 4*cap(p.unknown.ends) + 4*cap(p.unknown.slots); kept > 4*keptScratch {
			t.Fatalf("the parser keeps %d bytes", kept)
		}
	}
}

func TestForgetsABrokenFrame(t *testing.T) {
	var p Parser
	for _, broken := range []string{`{`, `[{]`, `{"type":"x","data":` + strings.Repeat(`[`, 70)} {
		_, _ = readAll(&p, broken)
		if got, err := readAll(&p, `{"type":"x"}x`); err != nil || got[0] != "x/!" {
			t.Errorf("after %s: rubbish behind an envelope: %q, %v", broken, got, err)
		}
		_, _ = readAll(&p, broken)
		if got, err := readAll(&p, `[{"type":"x"},{"type":"y"}]`); err != nil || len(got) != 2 {
			t.Errorf("after %s: an array: %q, %v", broken, got, err)
		}
		_, _ = readAll(&p, broken)
		var r Request
		if err := p.Binary(binaryFrame(`{"type":"x"}`, ""), &r); err != nil {
			t.Errorf("after %s: %v", broken, err)
		}
	}
}
