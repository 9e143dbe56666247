package memory

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

func TestLatestCountsItsBytes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, events := range []int{1, 5, engine.MaxLatest + 50} {
		l := newLatest()
		for i := range 4 * events {
			l.put(&protocol.Message{
				Event:    strconv.Itoa(random.IntN(events)),
				Data:     make([]byte, random.IntN(100)),
				Position: protocol.Position{Epoch: 1, Offset: uint64(i) + 1},
			})
			bytes := int64(0)
			for _, m := range l.after(0) {
				bytes += int64(m.Size())
			}
			if l.bytes != bytes || l.order.Len() != len(l.byEvent) || l.order.Len() > engine.MaxLatest {
				t.Fatalf("counted %d bytes, there are %d, of %d and %d events", l.bytes, bytes, l.order.Len(), len(l.byEvent))
			}
		}
	}
}
