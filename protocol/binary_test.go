package protocol

import (
	"encoding/binary"
	"strings"
	"testing"
)

// binaryFrame puts a binary frame together.
func binaryFrame(envelope, payload string) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(envelope)))
	return append(append(b, envelope...), payload...)
}

func TestReadsABinaryFrame(t *testing.T) {
	for _, payload := range []string{"", "\x00\xff{}", strings.Repeat("x", 100_000)} {
		var p Parser
		var r Request
		err := p.Binary(binaryFrame(` {"type":"publish","id":4,"room":"a"} `, payload), &r)
		if err != nil || r.Kind != KindPublish || string(r.ID) != "4" || r.Bytes == nil || string(r.Bytes) != payload {
			t.Errorf("payload of %d bytes: got %+v, %v", len(payload), r, err)
		}
		if ok, err := p.Next(&r); ok || err != nil {
			t.Error("an envelope behind the binary frame's only one")
		}
	}
}

func TestRefusesBinaryFrames(t *testing.T) {
	const good = `{"type":"publish","id":4,"room":"a"}`
	for _, row := range []struct {
		name, frame, id, field string
	}{
		{"nothing", "", "", ""},
		{"half a length", "\x00", "", ""},
		{"no envelope", "\x00\x00payload", "", ""},
		{"a length over the frame", string(binaryFrame(good, "")[:20]), "", ""},
		{"a length over the frame by one", "\x00\x03{}", "", ""},
		{"a length over a good frame by one", "\x00\x0d{\"type\":\"x\"}", "", ""},
		{"an envelope cut short", string(binaryFrame(good[:len(good)-1], "}")), "4", ""},
		{"an array", string(binaryFrame("["+good+"]", "x")), "", ""},
		{"two envelopes", string(binaryFrame(good+good, "x")), "4", ""},
		{"invalid UTF-8", string(binaryFrame(`{"type":"publish","x":"`+"\xff"+`"}`, "x")), "", ""},
		{"data too", string(binaryFrame(`{"type":"publish","id":4,"data":1}`, "x")), "4", "data"},
		{"data too, no payload", string(binaryFrame(`{"type":"order","id":4,"data":null}`, "")), "4", "data"},
		{"bytes too", string(binaryFrame(`{"type":"publish","id":4,"bytes":""}`, "")), "4", "bytes"},
		{"a wrong field", string(binaryFrame(`{"type":"publish","id":4,"room":1}`, "x")), "4", "room"},
	} {
		var p Parser
		var r Request
		err := p.Binary(exactly(row.frame), &r)
		if err == nil || err.Code != CodeBadRequest || err.Field != row.field || string(r.ID) != row.id {
			t.Errorf("%s: got id %q, %v", row.name, r.ID, err)
		}
	}
}

func TestBinaryFrameOfAMessage(t *testing.T) {
	m := &Message{Room: "a", Position: Position{Epoch: 1, Offset: 2, Check: 3}, From: Sender{User: "u"}, Time: 4, Event: "e", Bytes: []byte("\x00\x01")}
	got := string(AppendBinary([]byte("before"), m))
	want := "before" + string(binaryFrame(`{"type":"message","room":"a","pos":"aaaaaaab.2.00000003","from":{"user":"u"},"ts":4,"event":"e"}`, "\x00\x01"))
	if got != want {
		t.Fatalf("got  %q\nwant %q", got, want)
	}
}

func TestBinaryFrameHasNoRoomForAnEnvelopeOver64KiB(t *testing.T) {
	m := &Message{Room: "a", Bytes: []byte("x")}
	fits := 1<<16 - 1 - len(m.appendHead([]byte(`{"type":"message"`))) - len(`}`) - len(`,"name":""`)
	m.From.Name = strings.Repeat("n", fits)
	back, err := DecodeBinary(AppendBinary(nil, m))
	if err != nil || len(back.From.Name) != fits {
		t.Fatal(err)
	}
	m.From.Name += "n"
	if got := AppendBinary([]byte("before"), m); string(got) != "before" {
		t.Fatalf("%d bytes were written", len(got))
	}
	r := &Request{Type: []byte("x"), Has: HasToken, Token: make([]byte, 1<<16), Bytes: []byte{}}
	if got := r.AppendBinary([]byte("before")); string(got) != "before" {
		t.Fatalf("%d bytes were written", len(got))
	}
}

func TestDecodeBinaryRefuses(t *testing.T) {
	for _, frame := range []string{
		"", "\x00", "\x00\x05{}", "\x00\x00", string(binaryFrame(`[]`, "")), string(binaryFrame(`{"type":"ping"}`, "")),
		string(binaryFrame(`{"type":"message","room":5}`, "")), string(binaryFrame(`{"type":"message","room":"a"`, "}")),
	} {
		if m, err := DecodeBinary(exactly(frame)); err == nil {
			t.Errorf("%q: got %+v", frame, m)
		}
	}
}

func TestDecodeBinaryBorrowsNothing(t *testing.T) {
	frame := binaryFrame(`{"type":"message","room":"abc","from":{"user":"u"},"ts":1}`, "payload")
	m, err := DecodeBinary(frame)
	if err != nil {
		t.Fatal(err)
	}
	clear(frame)
	if m.Room != "abc" || string(m.Bytes) != "payload" {
		t.Fatalf("got %+v", m)
	}
}
