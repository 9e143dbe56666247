package protocol

import (
	"fmt"
	"strings"
	"testing"
)

const smallPublish = `{"type":"publish","id":17,"room":"general","event":"chat","data":{"text":"Hello, everybody in here!"}}`

// readAll reads all envelopes of a frame, as "type/id" or "type/id!field" for an error.
func readAll(p *Parser, frame string) (got []string, err *Error) {
	if err := p.Start([]byte(frame)); err != nil {
		return nil, err
	}
	var r Request
	for {
		ok, err := p.Next(&r)
		if !ok {
			return got, nil
		}
		line := fmt.Sprintf("%s/%s", r.Type, r.ID)
		if err != nil {
			line += "!" + err.Field
		}
		got = append(got, line)
	}
}

func TestReadsAnArrayInOrder(t *testing.T) {
	var p Parser
	got, err := readAll(&p, ` [ {"type":"join","id":1,"room":"a"} , {"id":"x","room":5,"type":"leave"}, 7, {"type":"ping"} ] `)
	if want := "join/1 leave/\"x\"!room /! ping/"; err != nil || strings.Join(got, " ") != want {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}

func TestSmallPublishDoesNotAllocate(t *testing.T) {
	var p Parser
	var r Request
	frame := []byte(smallPublish)
	n := testing.AllocsPerRun(100, func() {
		if err := p.Start(frame); err != nil {
			t.Fatal(err)
		}
		if ok, err := p.Next(&r); !ok || err != nil {
			t.Fatal(ok, err)
		}
	})
	if n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkParseSmallPublish(b *testing.B) {
	var p Parser
	var r Request
	frame := []byte(smallPublish)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Start(frame); err != nil {
			b.Fatal(err)
		}
		if ok, err := p.Next(&r); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
