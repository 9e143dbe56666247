package enginetest

import (
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

var proofTests = []test{
	{name: "proof/ByAKeptMessage", run: provenByKept},
	{name: "proof/ByTheLastThatLeft", run: provenByBase},
	{name: "proof/ByTheHead", run: provenByHead},
	{name: "proof/RefusesAnotherEpoch", run: refusesEpoch},
	{name: "proof/RefusesWhatIsAhead", run: refusesAhead},
}

// forged returns a position that another log could have at the same offset.
func forged(p protocol.Position) protocol.Position {
	p.Check ^= 1
	return p
}

// otherEpoch returns a position that the same log could have had in another life.
func otherEpoch(p protocol.Position) protocol.Position {
	p.Epoch ^= 1
	return p
}

// proven wants that a position is proven, with count messages after it.
func (f *fixture) proven(room string, p protocol.Position, count int) engine.Page {
	f.Helper()
	page := f.read(room, engine.Query{Since: p, Limit: 1000})
	if page.Refused != "" || page.Start != p || page.Count != count || len(page.Messages) != count {
		f.Fatalf("since %v: got %+v, want %d messages", p, page, count)
	}
	if before := f.read(room, engine.Query{Before: p, Limit: 1000}); before.Refused != "" {
		f.Fatalf("before %v: refused: %s", p, before.Refused)
	}
	return page
}

// unproven wants that a position is refused, and how.
func (f *fixture) unproven(room string, p protocol.Position, reason protocol.Reason) {
	f.Helper()
	head := f.head(room)
	for _, q := range []engine.Query{{Since: p, Limit: 1000}, {Before: p, Limit: 1000}} {
		page := f.read(room, q)
		if page.Refused != reason || len(page.Messages) > 0 || page.Head != head || page.Start != head || page.Count != 0 {
			f.Fatalf("%+v: got %+v, want %q and the head %v", q, page, reason, head)
		}
	}
}

func provenByKept(f *fixture) {
	positions := f.fill("room", 5, engine.Retention{Messages: 4})
	for i, p := range positions[1:] {
		f.proven("room", p, 3-i)
		f.unproven("room", forged(p), protocol.ReasonDiverged)
	}
}

func provenByBase(f *fixture) {
	empty := f.head("room")
	f.proven("room", empty, 0)
	positions := f.fill("room", 5, engine.Retention{Messages: 5})
	f.proven("room", empty, 5)
	f.unproven("room", forged(empty), protocol.ReasonDiverged)
	positions = append(positions, f.fill("room", 2, engine.Retention{Messages: 5})...)
	f.proven("room", positions[1], 5) // the last that left
	f.unproven("room", forged(positions[1]), protocol.ReasonDiverged)
	f.unproven("room", positions[0], protocol.ReasonExpired)
	f.unproven("room", forged(positions[0]), protocol.ReasonExpired)
	f.unproven("room", empty, protocol.ReasonExpired)
}

func provenByHead(f *fixture) {
	for room, keep := range map[string]engine.Retention{"kept": plenty, "unkept": {}} {
		head := f.fill(room, 3, keep)[2]
		f.proven(room, head, 0)
		f.unproven(room, forged(head), protocol.ReasonDiverged)
	}
}

func refusesEpoch(f *fixture) {
	positions := f.fill("room", 3, engine.Retention{Messages: 2})
	for _, p := range append(positions, protocol.Position{Epoch: positions[0].Epoch, Offset: positions[2].Offset + 5}) {
		f.unproven("room", otherEpoch(p), protocol.ReasonEpoch)
	}
}

func refusesAhead(f *fixture) {
	head := f.fill("room", 3, plenty)[2]
	f.unproven("room", head.Next(7), protocol.ReasonDiverged)
	head.Offset = protocol.MaxInteger
	f.unproven("room", head, protocol.ReasonDiverged)
	head.Offset = 1<<64 - 1
	f.unproven("room", head, protocol.ReasonDiverged)
}
