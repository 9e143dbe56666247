package protocol

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// parseFrame reads all envelopes of a frame that is to be accepted.
func parseFrame(tb testing.TB, p *Parser, r *Request, frame []byte) {
	if err := p.Start(frame); err != nil {
		tb.Fatal(err)
	}
	for {
		ok, err := p.Next(r)
		if !ok {
			return
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var keys strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&keys, `,"key%d":%d`, i, i)
	}
	for _, row := range []struct{ name, frame string }{
		{"publish", smallPublish},
		{"publish in an array of 64", "[" + strings.Repeat(smallPublish+",", 63) + smallPublish + "]"},
		{"publish of 16 KiB of text", `{"type":"publish","room":"a","data":"` + strings.Repeat("Hello, world! ", 1170) + `"}`},
		{"4000 unknown keys", `{"type":"x"` + keys.String() + `}`},
		{"64 KiB of escapes", `{"type":"x","room":"` + strings.Repeat(`\u0041`, 10_000) + `"}`},
		{"64 KiB of brackets", `{"type":"x","data":[` + strings.Repeat(`[],`, 21_000) + `[]]}`},
	} {
		b.Run(row.name, func(b *testing.B) {
			var p Parser
			var r Request
			frame := []byte(row.frame)
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			for b.Loop() {
				parseFrame(b, &p, &r, frame)
			}
		})
	}
}

// BenchmarkStandardParse does with encoding/json what BenchmarkParse does, less its checks, as the measure of it.
func BenchmarkStandardParse(b *testing.B) {
	frame := []byte(smallPublish)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		var r struct {
			Type  string          `json:"type"`
			ID    json.RawMessage `json:"id"`
			Room  string          `json:"room"`
			Event string          `json:"event"`
			Data  json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(frame, &r); err != nil {
			b.Fatal(err)
		}
	}
}

func benchMessage() *Message {
	return &Message{
		Room: "general", Position: Position{Epoch: 0x123456789a, Offset: 1042, Check: 0x9c1d44b2},
		From: Sender{User: "alice", Client: "c-8f14e45f", Name: "Alice"}, Time: 1_763_700_000_000, Event: "chat",
		Data: json.RawMessage(`{"text":"Hello, everybody in here!"}`),
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	m := benchMessage()
	var text []byte
	b.ReportAllocs()
	for b.Loop() {
		text = AppendPush(text[:0], m)
	}
	b.SetBytes(int64(len(text)))
}

func BenchmarkStandardAppendMessage(b *testing.B) {
	m := benchMessage()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := json.Marshal(m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadEnvelope(b *testing.B) {
	frame := AppendPush(nil, benchMessage())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadEnvelope(frame); err != nil {
			b.Fatal(err)
		}
	}
}
