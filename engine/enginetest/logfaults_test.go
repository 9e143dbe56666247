package enginetest

import (
	"slices"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// kept changes what a room keeps.
func kept(change func(keep *engine.Retention)) publish {
	return changed(func(_ *faulty, p *engine.Publication) { change(&p.Retention) })
}

// silentFor returns how long ago the room was published to, as far as the breach knows: see noteTime.
func silentFor(e *faulty, room string) time.Duration {
	last, _ := remember(e, room, time.Now())
	return time.Since(last)
}

var noteTime = changed(func(e *faulty, p *engine.Publication) { replace(e, p.Message.Room, time.Now()) })

// forgets is an engine that begins a room anew when it was silent for that long.
func forgets(after time.Duration) breach {
	return breach{publish: noteTime, read: paged(func(e *faulty, room string, q engine.Query, page *engine.Page) {
		if silentFor(e, room) > after && !q.Since.IsZero() {
			page.Refused = protocol.ReasonEpoch
		}
	})}
}

// dropFirst takes the first message from a page.
func dropFirst(page *engine.Page) {
	if len(page.Messages) > 0 {
		page.Messages = page.Messages[1:]
	}
}

// at returns the room's own position at p's offset, or nothing.
func at(e *faulty, room string, p protocol.Position) protocol.Position {
	page, _ := e.page(room, whole)
	for _, own := range append([]protocol.Position{page.Start, page.Head}, positionsOf(page.Messages)...) {
		if own.Offset == p.Offset {
			return own
		}
	}
	return p
}

func positionsOf(messages []*protocol.Message) []protocol.Position {
	positions := make([]protocol.Position, len(messages))
	for i, m := range messages {
		positions[i] = m.Position
	}
	return positions
}

var logFaults = []fault{
	// retention
	{"keeps what it should not", []string{"retention/KeepsNothingAtZero", "retention/ByCount", "model/BehavesLikeTheModel"}, breach{publish: kept(func(keep *engine.Retention) { keep.Messages++ })}},
	{"loses one message of the log", []string{"retention/ByCount", "read/Last"}, breach{publish: kept(func(keep *engine.Retention) { keep.Messages-- })}},
	{"does not count bytes", []string{"retention/ByBytes"}, breach{publish: kept(func(keep *engine.Retention) { keep.Bytes = 0 })}},
	{"keeps a byte too many", []string{"retention/ByBytes"}, breach{publish: kept(func(keep *engine.Retention) { keep.Bytes++ })}},
	{"keeps a byte too few", []string{"retention/ByBytes"}, breach{publish: kept(func(keep *engine.Retention) {
		if keep.Bytes > 0 {
			keep.Bytes--
		}
	})}},
	{"does not look at the age", []string{"retention/ByAge", "retention/ByAgeExactly", "retention/DoesNotBringBackWhatHasLeft"}, breach{publish: kept(func(keep *engine.Retention) { keep.Age = 0 })}},
	{"keeps messages two seconds too long", []string{"retention/ByAgeExactly"}, breach{publish: kept(func(keep *engine.Retention) {
		if keep.Age > 0 {
			keep.Age += 2 * time.Second
		}
	})}},
	{"lets messages go two seconds early", []string{"retention/ByAgeExactly"}, breach{publish: kept(func(keep *engine.Retention) { keep.Age -= 2 * time.Second })}},
	{"keeps to a room's first retention", []string{"retention/IsThatOfTheLastPublish", "latest/IsKeptOnlyWhenAsked"}, breach{publish: changed(func(e *faulty, p *engine.Publication) {
		p.Retention, _ = remember(e, p.Message.Room, p.Retention)
	})}},

	// latest
	{"keeps no latest", []string{"latest/KeepsTheNewestPerEvent", "latest/IsApartFromTheLog", "latest/IsBounded"}, breach{publish: kept(func(keep *engine.Retention) { keep.Latest = false })}},
	{"keeps latest unasked", []string{"latest/IsKeptOnlyWhenAsked"}, breach{publish: kept(func(keep *engine.Retention) { keep.Latest = true })}},
	{"trims the latest with the log", []string{"latest/IsApartFromTheLog"}, breach{read: paged(func(e *faulty, room string, q engine.Query, page *engine.Page) {
		if log, _ := e.page(room, whole); q.Latest {
			page.Messages = slices.DeleteFunc(page.Messages, func(m *protocol.Message) bool { return m.Position.Offset <= log.Start.Offset })
		}
	})}},
	{"keeps fewer events", []string{"latest/IsBounded"}, breach{read: paged(func(_ *faulty, _ string, q engine.Query, page *engine.Page) {
		if q.Latest && len(page.Messages) == engine.MaxLatest {
			dropFirst(page)
		}
	})}},
	{"gives all the latest whatever since", []string{"latest/GivesThoseAfterSince"}, breach{read: asked(func(_ *faulty, _ string, q *engine.Query) {
		if q.Latest {
			q.Since = protocol.Position{}
		}
	})}},
	{"gives no latest when refused", []string{"latest/GivesAllWhenRefused"}, breach{read: paged(func(_ *faulty, _ string, _ engine.Query, page *engine.Page) {
		if page.Refused != "" {
			page.Messages = nil
		}
	})}},
	{"bounds the latest by the limit", []string{"latest/IsWhole"}, breach{read: paged(func(_ *faulty, _ string, q engine.Query, page *engine.Page) {
		if q.Latest {
			page.Messages = page.Messages[:min(len(page.Messages), max(1, q.Limit))]
		}
	})}},

	// read
	{"has no start where there is no message", []string{"read/AsksForTheHeadAlone", "read/Since"}, breach{read: paged(func(_ *faulty, _ string, _ engine.Query, page *engine.Page) {
		if len(page.Messages) == 0 {
			page.Start = protocol.Position{}
		}
	})}},
	{"begins an empty room anew each time", []string{"read/AsksForTheHeadAlone", "subscribe/LeavesTheLogAlone"}, breach{read: paged(func(_ *faulty, _ string, _ engine.Query, page *engine.Page) {
		if page.Head.Offset == 0 {
			page.Head.Epoch = protocol.NewEpoch()
		}
	})}},
	{"counts the page only", []string{"read/Since", "model/BehavesLikeTheModel"}, breach{read: paged(func(_ *faulty, _ string, _ engine.Query, page *engine.Page) { page.Count = len(page.Messages) })}},
	{"never says that there is more", []string{"read/Since", "read/SincePageByPage", "read/BeforePageByPage", "read/Last"}, breach{read: paged(func(_ *faulty, _ string, _ engine.Query, page *engine.Page) { page.More = false })}},
	{"always says that there is more", []string{"read/Since", "read/Before", "read/Last", "read/IsAtomic"}, breach{read: paged(func(_ *faulty, _ string, _ engine.Query, page *engine.Page) { page.More = true })}},
	{"fills since from the newest end", []string{"read/Since", "read/SincePageByPage"}, breach{read: paged(func(e *faulty, room string, q engine.Query, page *engine.Page) {
		if page.More && !q.Since.IsZero() {
			newest, _ := e.page(room, engine.Query{Last: q.Limit, Limit: q.Limit})
			page.Messages = newest.Messages
		}
	})}},
	{"lists the message that before names", []string{"read/Before", "read/BeforePageByPage"}, breach{read: paged(func(e *faulty, room string, q engine.Query, page *engine.Page) {
		if q.Before.IsZero() || page.Refused != "" {
			return
		}
		if after, _ := e.page(room, engine.Query{Since: page.Start, Limit: len(page.Messages) + 1}); len(after.Messages) > 0 {
			page.Messages = after.Messages
		}
	})}},
	{"skips a message", []string{"read/Last", "read/Since", "publish/FeedsInTheOrderOfTheLog"}, breach{read: paged(func(_ *faulty, _ string, _ engine.Query, page *engine.Page) {
		if n := len(page.Messages); n > 2 {
			page.Messages = append(page.Messages[:n-2], page.Messages[n-1])
		}
	})}},
	{"knows no limit", []string{"read/Since", "read/Before", "read/Last"}, breach{read: asked(func(_ *faulty, _ string, q *engine.Query) { q.Limit = 1000 })}},
	{"does not bound bytes", []string{"read/BoundsBytes"}, breach{read: asked(func(_ *faulty, _ string, q *engine.Query) { q.MaxBytes = 0 })}},
	{"gives a page a byte too many", []string{"read/BoundsBytes"}, breach{read: asked(func(_ *faulty, _ string, q *engine.Query) {
		if q.MaxBytes > 0 {
			q.MaxBytes++
		}
	})}},
	{"gives nothing where one message passes the bound", []string{"read/BoundsBytes"}, breach{read: paged(func(_ *faulty, _ string, q engine.Query, page *engine.Page) {
		if len(page.Messages) == 1 && q.MaxBytes > 0 && page.Messages[0].Size() > q.MaxBytes {
			page.Messages = nil
		}
	})}},
	{"reads the head after the messages", []string{"read/IsAtomic"}, breach{read: func(e *faulty, room string, q engine.Query) (engine.Page, error) {
		page, err := e.page(room, q)
		time.Sleep(time.Millisecond)
		head, _ := e.page(room, engine.Query{})
		page.Head = head.Head
		return page, err
	}, publish: func(e *faulty, p *engine.Publication, done done) {
		e.good(p, done)
		time.Sleep(time.Microsecond)
	}}},
	{"shares its pages", []string{"read/GivesPagesOfTheCallersOwn"}, breach{read: paged(func(e *faulty, room string, q engine.Query, page *engine.Page) {
		if len(page.Messages) > 0 {
			page.Messages, _ = remember(e, room+string(rune('a'+q.Last%2))+q.Before.String(), page.Messages)
		}
	})}},
	{"gives heads in the order of names", []string{"read/FindsTheHeadsOfManyRooms"}, breach{heads: func(e *faulty, rooms []string, heads []protocol.Position) {
		for i, room := range slices.Sorted(slices.Values(rooms)) {
			page, _ := e.page(room, engine.Query{})
			heads[i] = page.Head
		}
	}}},
	{"knows no head of a room without messages", []string{"read/FindsTheHeadsOfManyRooms"}, breach{heads: func(_ *faulty, _ []string, heads []protocol.Position) {
		for i := range heads {
			if heads[i].Offset == 0 {
				heads[i] = protocol.Position{}
			}
		}
	}}},
	{"remembers heads", []string{"read/FindsHeadsBehindWhatWasAcknowledged"}, breach{heads: func(e *faulty, rooms []string, heads []protocol.Position) {
		for i, room := range rooms {
			heads[i], _ = remember(e, room+" head "+period(), heads[i])
		}
	}}},

	// proof
	{"does not look at the check", []string{"proof/ByAKeptMessage", "proof/ByTheLastThatLeft", "proof/ByTheHead", "model/BehavesLikeTheModel"}, breach{read: asked(func(e *faulty, room string, q *engine.Query) {
		if !q.Since.IsZero() {
			q.Since = at(e, room, q.Since)
		}
	})}},
	{"does not look at the check of before", []string{"proof/ByAKeptMessage"}, breach{read: asked(func(e *faulty, room string, q *engine.Query) {
		if !q.Before.IsZero() {
			q.Before = at(e, room, q.Before)
		}
	})}},
	{"forgets the last that left", []string{"proof/ByTheLastThatLeft"}, breach{read: paged(func(e *faulty, room string, q engine.Query, page *engine.Page) {
		if log, _ := e.page(room, whole); !q.Since.IsZero() && q.Since.Offset == log.Start.Offset && q.Since != log.Head {
			*page = engine.Page{Head: page.Head, Start: page.Head, Refused: protocol.ReasonExpired}
		}
	})}},
	{"proves only what it keeps", []string{"proof/ByTheHead", "retention/KeepsNothingAtZero"}, breach{read: paged(func(e *faulty, room string, q engine.Query, page *engine.Page) {
		if log, _ := e.page(room, whole); len(log.Messages) == 0 && !q.Since.IsZero() {
			page.Refused = protocol.ReasonExpired
		}
	})}},
	{"says diverged for expired", []string{"proof/ByTheLastThatLeft"}, breach{read: paged(func(_ *faulty, _ string, _ engine.Query, page *engine.Page) {
		if page.Refused == protocol.ReasonExpired {
			page.Refused = protocol.ReasonDiverged
		}
	})}},
	{"does not look at the epoch", []string{"proof/RefusesAnotherEpoch", "life/NoRoomHasAnEpochTwice"}, breach{read: asked(func(e *faulty, room string, q *engine.Query) {
		if head, _ := e.page(room, engine.Query{}); !q.Since.IsZero() {
			q.Since.Epoch = head.Head.Epoch
		}
	})}},
	{"takes what is ahead for the head", []string{"proof/RefusesWhatIsAhead"}, breach{read: asked(func(e *faulty, room string, q *engine.Query) {
		if head, _ := e.page(room, engine.Query{}); q.Since.Offset > head.Head.Offset {
			q.Since = head.Head
		}
	})}},
	{"gives what it has when refused", []string{"proof/ByTheLastThatLeft", "proof/RefusesAnotherEpoch"}, breach{read: paged(func(e *faulty, room string, q engine.Query, page *engine.Page) {
		if page.Refused != "" && !q.Latest {
			log, _ := e.page(room, whole)
			page.Messages = log.Messages
		}
	})}},

	// life
	{"forgets a room after an hour", []string{"life/RoomOutlivesItsLastPublish", "life/RoomOutlivesItsHistory"}, forgets(time.Hour)},
	{"forgets a room after a day, whatever its history", []string{"life/RoomOutlivesItsHistory"}, forgets(engine.RoomLife)},
	{"begins a room anew with the epoch that it had", []string{"life/NoRoomHasAnEpochTwice"}, breach{read: func(e *faulty, room string, q engine.Query) (engine.Page, error) {
		now, _ := e.page(room, engine.Query{})
		first, _ := remember(e, room, now.Head.Epoch)
		if q.Since.Epoch == first {
			q.Since.Epoch = now.Head.Epoch
		}
		page, err := e.page(room, q)
		page.Head.Epoch = first
		return page, err
	}}},
}
