package websocket

import (
	"encoding/json"
	"testing"

	"github.com/wireroom/wireroom/internal/wire/ws"
	"github.com/wireroom/wireroom/protocol"
)

// BenchmarkFraming is a message of a room as its members get it: made once for all whose framing is the same.
func BenchmarkFraming(b *testing.B) {
	message := &protocol.Message{
		Room: "general", Position: protocol.Position{Epoch: 77, Offset: 1042, Check: 9},
		From: protocol.Sender{User: "anon-abcdefghijklmnopqrstuvwxyz", Client: "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}, Time: 1_700_000_000_000,
		Data: json.RawMessage(`{"text":"hello, this is a message of the usual length, which is not very long but longer than nothing"}`),
	}
	for name, f := range map[string]*framing{"plain": {}, "deflated": {deflater: &ws.Deflater{WindowBits: 15}}} {
		b.Run(name, func(b *testing.B) {
			var frame []byte
			b.ReportAllocs()
			for b.Loop() {
				frame = f.AppendFrame(frame[:0], message)
			}
			b.SetBytes(int64(len(frame)))
		})
	}
}
