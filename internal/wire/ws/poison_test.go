//go:build race

package ws_test

import (
	"bytes"
	"testing"

	"github.com/wireroom/wireroom/internal/wire/ws"
)

// keeper keeps what it must not keep.
type keeper struct{ kept [][]byte }

func (k *keeper) Message(_ ws.Opcode, payload []byte) bool {
	k.kept = append(k.kept, payload)
	return true
}
func (k *keeper) Control(ws.Opcode, []byte) bool { return true }

func TestKeptPayloadsAreFoundOut(t *testing.T) {
	c := &ws.Config{Deflate: true}
	input := fromClient(frame{op: ws.Text, more: true, payload: "frag"}, frame{payload: "ments"})
	input = append(input, compressed(ws.Text, new(ws.Deflater).Append(nil, prose(300)))...)
	var (
		d *ws.Decoder
		k keeper
	)
	if _, err := c.Decode(&d, input, &k); err != nil || len(k.kept) != 2 {
		t.Fatal(err, len(k.kept))
	}
	for _, payload := range k.kept {
		if len(payload) == 0 || !bytes.Equal(payload, bytes.Repeat([]byte{0xDD}, len(payload))) {
			t.Errorf("a payload that was kept reads %q", payload)
		}
	}
}
