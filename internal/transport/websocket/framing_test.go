package websocket

import (
	"strings"
	"testing"

	"github.com/wireroom/wireroom/internal/wire/ws"
	"github.com/wireroom/wireroom/protocol"
)

const compressed = 0x40 // of the first byte of a frame

func TestATokenIsNeverCompressed(t *testing.T) {
	f := &framing{deflater: &ws.Deflater{WindowBits: 15}}
	long := strings.Repeat("t", 500)
	if frame := f.AppendFrame(nil, &protocol.Welcome{Token: long}); frame[0]&compressed != 0 {
		t.Error("a welcome is compressed")
	}
	if frame := f.AppendFrame(nil, &protocol.Kicked{Room: "r", Reason: long}); frame[0]&compressed == 0 {
		t.Error("nothing is compressed")
	}
}
