package enginetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/engine"
)

var producerTests = []test{
	{name: "producer/StoresOnceInOrder", run: producerStoresOnce},
	{name: "producer/RefusesWhatIsOutOfOrder", run: producerRefuses},
	{name: "producer/RefusesTheRestOfAPipeline", run: producerPipeline},
	{name: "producer/AnswersTheLast256", run: producerWindow},
	{name: "producer/IsScopedByProducerAndRoom", run: producerIsScoped},
	{name: "producer/OutlivesTheLog", run: producerOutlivesTheLog},
	{name: "producer/LivesForTheWindow", run: producerLivesForTheWindow, virtual: true},
	{name: "producer/OnlyCarriesAKey", run: producerOnlyCarriesAKey},
}

// produced returns a publication with a producer's sequence.
func (f *fixture) produced(room, producer string, seq uint64) *engine.Publication {
	p := f.publication(room, fmt.Sprint(seq))
	p.Producer, p.Seq = f.name(producer), seq
	return p
}

// produce publishes a producer's sequences from first to last, which must be stored.
func (f *fixture) produce(room, producer string, first, last uint64) map[uint64]engine.Receipt {
	f.Helper()
	receipts := make(map[uint64]engine.Receipt)
	for seq := first; seq <= last; seq++ {
		receipts[seq] = f.publish(f.produced(room, producer, seq))
	}
	return receipts
}

func producerStoresOnce(f *fixture) {
	f.subscribe("room")
	receipts := f.produce("room", "p", 1, 5)
	for _, seq := range []uint64{5, 1, 3, 3} {
		f.duplicate(f.produced("room", "p", seq), receipts[seq])
	}
	f.produce("room", "p", 6, 7)
	f.settle()
	if n := f.feed.count(f.name("room")); n != 7 {
		f.Fatalf("%d messages were fed, want 7", n)
	}
	f.says(f.read("room", engine.Query{Last: 10, Limit: 10}).Messages, count(1, 8)...)
}

func producerRefuses(f *fixture) {
	for _, seq := range []uint64{0, 2, 1 << 40} {
		f.refused(f.produced("room", "unknown", seq), engine.ErrOutOfOrder)
	}
	f.produce("room", "p", 1, 2)
	for _, seq := range []uint64{0, 4, 1<<64 - 1} {
		f.refused(f.produced("room", "p", seq), engine.ErrOutOfOrder)
	}
	f.produce("room", "p", 3, 3)
	f.produce("room", "unknown", 1, 1) // a refusal leaves nothing behind
}

func producerPipeline(f *fixture) {
	sequences := []uint64{1, 2, 4, 5, 3, 6, 4, 5, 6, 2}
	stored := []bool{true, true, false, false, true, false, true, true, true, false}
	waiting := make([]*pending, len(sequences))
	for i, seq := range sequences {
		waiting[i] = f.start(f.produced("room", "p", seq))
	}
	for i, w := range waiting {
		r, err := w.wait()
		switch last := i == len(sequences)-1; {
		case stored[i] && (err != nil || r.Duplicate):
			f.Fatalf("publish %d, seq %d: %+v, %v; want it stored", i, sequences[i], r, err)
		case last && (err != nil || !r.Duplicate):
			f.Fatalf("publish %d, seq %d: %+v, %v; want a duplicate", i, sequences[i], r, err)
		case !stored[i] && !last && !errors.Is(err, engine.ErrOutOfOrder):
			f.Fatalf("publish %d, seq %d: %+v, %v; want it refused", i, sequences[i], r, err)
		}
	}
	f.says(f.read("room", engine.Query{Last: 10, Limit: 10}).Messages, count(1, 7)...)
}

func producerWindow(f *fixture) {
	const n = engine.ProducerWindow + 44
	receipts := f.produce("room", "p", 1, n)
	for _, seq := range []uint64{n, n - 1, n - engine.ProducerWindow + 1} {
		f.duplicate(f.produced("room", "p", seq), receipts[seq])
	}
	for _, seq := range []uint64{n - engine.ProducerWindow, 1} {
		f.duplicate(f.produced("room", "p", seq), engine.Receipt{})
	}
	f.produce("room", "p", n+1, n+1)
}

func producerIsScoped(f *fixture) {
	receipts := f.produce("room", "p", 1, 3)
	f.produce("room2", "p", 1, 1)
	f.produce("room", "p2", 1, 1)
	p := f.produced("room", "p", 2)
	p.Owner = f.name("bob")
	f.duplicate(p, receipts[2])
	p = f.produced("room", "p", 4)
	p.Owner = f.name("bob")
	f.publish(p)
}

func producerOutlivesTheLog(f *fixture) {
	for _, keep := range []engine.Retention{{}, {Messages: 1}} {
		room := fmt.Sprint("room", keep.Messages)
		var receipts []engine.Receipt
		for seq := range uint64(4) {
			p := f.produced(room, "p", seq+1)
			p.Retention = keep
			receipts = append(receipts, f.publish(p))
		}
		f.duplicate(f.produced(room, "p", 1), receipts[0])
		f.duplicate(f.produced(room, "p", 4), receipts[3])
	}
}

func producerLivesForTheWindow(f *fixture) {
	for seq := range uint64(4) {
		p := f.produced("room", "p", seq+1)
		p.Retention = engine.Retention{}
		r := f.publish(p)
		time.Sleep(engine.KeyWindow - time.Second)
		f.duplicate(f.produced("room", "p", seq+1), r)
	}
}

func producerOnlyCarriesAKey(f *fixture) {
	var receipts []engine.Receipt
	for seq := range uint64(2) {
		p := f.produced("room", "p", seq+1)
		p.Message.Key = "same"
		receipts = append(receipts, f.publish(p))
	}
	f.publish(f.keyed("room", "alice", "same"))
	f.duplicate(f.produced("room", "p", 2), receipts[1])
}
