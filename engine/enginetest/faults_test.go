package enginetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// fault is a way to break a promise of package engine.
type fault struct {
	name   string
	fails  []string // the tests that must notice
	breach breach
}

type (
	done     = func(engine.Receipt, error)
	publish  = func(*faulty, *engine.Publication, done)
	readPage = func(*faulty, string, engine.Query) (engine.Page, error)
)

// changed publishes what change makes of a publication.
func changed(change func(*faulty, *engine.Publication)) publish {
	return func(e *faulty, p *engine.Publication, done done) {
		own := *p
		change(e, &own)
		e.good(&own, done)
	}
}

// answered changes the receipt.
func answered(change func(*faulty, *engine.Publication, *engine.Receipt)) publish {
	return func(e *faulty, p *engine.Publication, done done) {
		r, err := e.now(p)
		if err == nil {
			change(e, p, &r)
		}
		done(r, err)
	}
}

// paged changes a page.
func paged(change func(e *faulty, room string, q engine.Query, page *engine.Page)) readPage {
	return func(e *faulty, room string, q engine.Query) (engine.Page, error) {
		page, err := e.page(room, q)
		if err == nil {
			change(e, room, q, &page)
		}
		return page, err
	}
}

// asked changes a query.
func asked(change func(e *faulty, room string, q *engine.Query)) readPage {
	return func(e *faulty, room string, q engine.Query) (engine.Page, error) {
		change(e, room, &q)
		return e.page(room, q)
	}
}

// fedOther feeds a changed copy.
func fedOther(change func(*protocol.Message)) func(*faulty, *protocol.Message) {
	return func(e *faulty, m *protocol.Message) {
		own := *m
		change(&own)
		e.feed.Deliver(&own)
	}
}

// period tells times that are 4 minutes apart from each other, mostly.
func period() string { return fmt.Sprint(time.Now().Unix() / 240) }

// plainCopy stores p again, as if it had neither key nor producer.
func plainCopy(e *faulty, p *engine.Publication) (engine.Receipt, error) {
	own, message := *p, *p.Message
	own.Producer, own.Message = "", &message
	own.Message.Key = ""
	return e.now(&own)
}

var faults = slices.Concat(publishFaults, logFaults)

var publishFaults = []fault{
	// publish
	{"swaps neighbours in the feed", []string{"publish/FeedsInTheOrderOfTheLog", "model/BehavesLikeTheModel"}, breach{deliver: func(e *faulty, m *protocol.Message) {
		held := replace(e, "held", m)
		if held == nil {
			return
		}
		e.feed.Deliver(m)
		e.feed.Deliver(held)
		replace[*protocol.Message](e, "held", nil)
	}}},
	{"feeds one in 50 twice", []string{"publish/FeedsInTheOrderOfTheLog"}, breach{deliver: func(e *faulty, m *protocol.Message) {
		e.feed.Deliver(m)
		if m.Position.Offset%50 == 0 {
			e.feed.Deliver(m)
		}
	}}},
	{"loses one in 100 on the way", []string{"publish/FeedsInTheOrderOfTheLog"}, breach{deliver: func(e *faulty, m *protocol.Message) {
		if m.Position.Offset%100 != 99 {
			e.feed.Deliver(m)
		}
	}}},
	{"gives a receipt of the position before", []string{"publish/FeedsInTheOrderOfTheLog", "publish/SetsIDPositionAndTimeAndNothingElse"}, breach{publish: answered(func(e *faulty, p *engine.Publication, r *engine.Receipt) {
		r.Position = r.Position.Before(p.Message.ID)
	})}},
	{"answers twice", []string{"publish/KeepsTheOrderOfOneGoroutine"}, breach{publish: func(e *faulty, p *engine.Publication, done done) {
		r, err := e.now(p)
		done(r, err)
		done(r, err)
	}}},
	{"answers later than an inline engine may", []string{"publish/KeepsTheOrderOfOneGoroutine"}, breach{publish: func(e *faulty, p *engine.Publication, done done) {
		r, err := e.now(p)
		go func() {
			time.Sleep(time.Millisecond)
			done(r, err)
		}()
	}}},
	{"never answers one in 50", []string{"publish/KeepsTheOrderOfOneGoroutine"}, breach{publish: func(e *faulty, p *engine.Publication, done done) {
		if r, err := e.now(p); r.Position.Offset%50 != 49 {
			done(r, err)
		}
	}}},
	{"stores every other one behind the next", []string{"publish/KeepsTheOrderOfOneGoroutine"}, breach{publish: func(e *faulty, p *engine.Publication, done done) {
		if held := replace(e, "held", func() { e.good(p, done) }); held != nil {
			e.good(p, done)
			held()
			replace[func()](e, "held", nil)
		}
	}}},
	{"writes data anew", []string{"publish/SetsIDPositionAndTimeAndNothingElse"}, breach{publish: changed(func(_ *faulty, p *engine.Publication) {
		var v any
		if json.Unmarshal(p.Message.Data, &v) == nil {
			p.Message.Data, _ = json.Marshal(v)
		}
	})}},
	{"loses an empty binary payload", []string{"publish/SetsIDPositionAndTimeAndNothingElse"}, breach{deliver: fedOther(func(m *protocol.Message) {
		m.Bytes = bytes.Clone(append([]byte(nil), m.Bytes...))
	})}},
	{"gives all messages one id", []string{"publish/SetsIDPositionAndTimeAndNothingElse"}, breach{deliver: fedOther(func(m *protocol.Message) { m.ID = 7 })}},
	{"feeds before it stores", []string{"publish/FeedsWhatIsCommitted"}, breach{publish: func(e *faulty, p *engine.Publication, done done) {
		page, _ := e.page(p.Message.Room, engine.Query{})
		m := *p.Message
		m.Position = page.Head.Next(7)
		e.feed.Deliver(&m)
		time.Sleep(time.Millisecond)
		e.good(p, done)
	}}},
	{"numbers what is in no log", []string{"publish/NumbersEachRoomByItself"}, breach{publish: func(e *faulty, p *engine.Publication, done done) {
		_, _ = e.now(&engine.Publication{Message: &protocol.Message{Room: p.Message.Room}})
		e.good(p, done)
	}}},
	{"stores ephemeral messages", []string{"publish/FeedsEphemeralAndStoresNothing", "model/BehavesLikeTheModel"}, breach{publish: changed(func(_ *faulty, p *engine.Publication) { p.Ephemeral = false })}},
	{"drops ephemeral messages", []string{"publish/FeedsEphemeralAndStoresNothing"}, breach{deliver: func(e *faulty, m *protocol.Message) {
		if m.ID != 0 {
			e.feed.Deliver(m)
		}
	}}},
	{"says something else of its durability", []string{"publish/SaysHowItKeepsMessages"}, breach{durability: "good"}},

	// key
	{"knows no keys", []string{"key/StoresOnce", "key/StoresOnceOfManyAtOnce", "key/OutlivesTheLog", "model/BehavesLikeTheModel"}, breach{publish: changed(func(e *faulty, p *engine.Publication) {
		p.Owner = fmt.Sprint(replace(e, "n", time.Now()), string(p.Message.Data), fmt.Sprintf("%p", p))
	})}},
	{"feeds duplicates", []string{"key/StoresOnce", "producer/StoresOnceInOrder"}, breach{publish: answered(func(e *faulty, p *engine.Publication, r *engine.Receipt) {
		if r.Duplicate {
			e.feed.Deliver(p.Message)
		}
	})}},
	{"does not say that it is a duplicate", []string{"key/StoresOnce", "producer/StoresOnceInOrder"}, breach{publish: answered(func(_ *faulty, _ *engine.Publication, r *engine.Receipt) { r.Duplicate = false })}},
	{"looks a key up before it stores", []string{"key/StoresOnceOfManyAtOnce"}, breach{publish: func(e *faulty, p *engine.Publication, done done) {
		if known, ok := remember(e, p.Owner+p.Message.Key, engine.Receipt{}); ok && known.Time != 0 {
			known.Duplicate = true
			done(known, nil)
			return
		}
		time.Sleep(time.Millisecond)
		r, err := plainCopy(e, p)
		replace(e, p.Owner+p.Message.Key, r)
		done(r, err)
	}}},
	{"leaves the owner out of the scope", []string{"key/IsScopedByOwnerRoomAndKey"}, breach{publish: changed(func(_ *faulty, p *engine.Publication) { p.Owner = "" })}},
	{"leaves the room out of the scope", []string{"key/IsScopedByOwnerRoomAndKey", "producer/IsScopedByProducerAndRoom"}, breach{publish: answered(func(e *faulty, p *engine.Publication, r *engine.Receipt) {
		if key := p.Message.Key + p.Producer + fmt.Sprint(p.Seq); key != "0" {
			*r, r.Duplicate = remember(e, p.Owner+key, *r)
		}
	})}},
	{"leaves the case out of the scope", []string{"key/IsScopedByOwnerRoomAndKey"}, breach{publish: changed(func(_ *faulty, p *engine.Publication) { p.Message.Key = strings.ToLower(p.Message.Key) })}},
	{"takes no key for one", []string{"key/IsScopedByOwnerRoomAndKey"}, breach{publish: changed(func(_ *faulty, p *engine.Publication) {
		if p.Message.Key == "" {
			p.Message.Key = "none"
		}
	})}},
	{"forgets keys with the log", []string{"key/OutlivesTheLog"}, breach{publish: changed(func(e *faulty, p *engine.Publication) {
		if known, _ := remember(e, "keep", p.Retention); known.Messages < 2 {
			p.Owner = fmt.Sprintf("%p", p)
		}
	})}},
	{"forgets keys early", []string{"key/LivesForTheWindow", "key/IsBoundedByOwnerWithinTheWindow"}, breach{publish: changed(func(_ *faulty, p *engine.Publication) { p.Owner += period() })}},
	{"never forgets keys", []string{"key/LivesForTheWindow"}, breach{publish: answered(func(e *faulty, p *engine.Publication, r *engine.Receipt) {
		*r, r.Duplicate = remember(e, p.Owner+p.Message.Key, *r)
	})}},
	{"never gives a key's place back", []string{"key/IsBoundedByOwnerWithinTheWindow"}, breach{publish: func(e *faulty, p *engine.Publication, done done) {
		full, _ := remember(e, "full", false)
		r, err := e.now(p)
		if full {
			err = engine.ErrTooManyKeys
		}
		if errors.Is(err, engine.ErrTooManyKeys) {
			replace(e, "full", true)
		}
		done(r, err)
	}}},
	{"bounds no keys", []string{"key/IsBoundedByOwner"}, breach{publish: changed(func(_ *faulty, p *engine.Publication) { p.Owner += p.Message.Key })}},
	{"bounds the keys of all owners together", []string{"key/IsBoundedByOwner"}, breach{publish: func(e *faulty, p *engine.Publication, done done) {
		n := replace(e, "n", 0)
		replace(e, "n", n+1)
		if n >= engine.MaxUserKeys && p.Message.Key != "" {
			done(engine.Receipt{}, engine.ErrTooManyKeys)
			return
		}
		e.good(p, done)
	}}},

	// producer
	{"knows no producers", []string{"producer/StoresOnceInOrder", "producer/AnswersTheLast256", "producer/OutlivesTheLog", "model/BehavesLikeTheModel"}, breach{publish: changed(func(_ *faulty, p *engine.Publication) { p.Producer = "" })}},
	{"stores what is out of order", []string{"producer/RefusesWhatIsOutOfOrder", "producer/RefusesTheRestOfAPipeline"}, breach{publish: func(e *faulty, p *engine.Publication, done done) {
		r, err := e.now(p)
		if errors.Is(err, engine.ErrOutOfOrder) {
			r, err = plainCopy(e, p)
		}
		done(r, err)
	}}},
	{"lets a producer begin anywhere", []string{"producer/RefusesWhatIsOutOfOrder"}, breach{publish: func(e *faulty, p *engine.Publication, done done) {
		if _, known := remember(e, p.Producer, true); !known && p.Producer != "" {
			r, err := plainCopy(e, p)
			done(r, err)
			return
		}
		e.good(p, done)
	}}},
	{"refuses the rest for good", []string{"producer/RefusesTheRestOfAPipeline"}, breach{publish: func(e *faulty, p *engine.Publication, done done) {
		if broken, _ := remember(e, "broken", false); broken {
			done(engine.Receipt{}, engine.ErrOutOfOrder)
			return
		}
		r, err := e.now(p)
		replace(e, "broken", err != nil)
		done(r, err)
	}}},
	{"answers fewer than 256", []string{"producer/AnswersTheLast256"}, breach{publish: answered(func(e *faulty, p *engine.Publication, r *engine.Receipt) {
		if r.Duplicate && p.Seq <= 300-engine.ProducerWindow+1 {
			*r = engine.Receipt{Duplicate: true}
		}
	})}},
	{"answers with the head where it does not know", []string{"producer/AnswersTheLast256"}, breach{publish: answered(func(e *faulty, p *engine.Publication, r *engine.Receipt) {
		if page, _ := e.page(p.Message.Room, engine.Query{}); r.Position.IsZero() {
			r.Position = page.Head
		}
	})}},
	{"has the owner in a producer's scope", []string{"producer/IsScopedByProducerAndRoom"}, breach{publish: changed(func(_ *faulty, p *engine.Publication) { p.Producer += p.Owner })}},
	{"forgets producers with the log", []string{"producer/OutlivesTheLog"}, breach{publish: changed(func(e *faulty, p *engine.Publication) {
		if page, _ := e.page(p.Message.Room, whole); len(page.Messages) <= 1 {
			p.Producer = ""
		}
	})}},
	{"forgets producers early", []string{"producer/LivesForTheWindow"}, breach{publish: changed(func(_ *faulty, p *engine.Publication) { p.Producer += period() })}},
	{"looks up the key of a producer", []string{"producer/OnlyCarriesAKey"}, breach{publish: changed(func(_ *faulty, p *engine.Publication) {
		if p.Message.Key != "" {
			p.Producer = ""
		}
	})}},

	// subscribe
	{"feeds every room", []string{"subscribe/FeedsOnlyWhatIsSubscribed"}, breach{publish: func(e *faulty, p *engine.Publication, done done) {
		_ = e.Engine.Subscribe(context.Background(), p.Message.Room)
		e.good(p, done)
	}}},
	{"never unsubscribes", []string{"subscribe/FeedsNothingAfterUnsubscribe"}, breach{unsubscribe: func(*faulty, string) {}}},
	{"unsubscribes from everything", []string{"subscribe/FeedsNothingAfterUnsubscribe"}, breach{unsubscribe: func(e *faulty, room string) {
		e.Engine.Unsubscribe(room)
		e.Engine.Unsubscribe(room[:strings.IndexByte(room, '/')] + "/other")
	}}},
	{"subscribes too late", []string{"subscribe/FeedsEverythingStoredAfterIt", "subscribe/FeedsOnlyWhatIsSubscribed"}, breach{
		subscribe: func(e *faulty, room string) { replace(e, room, true) },
		deliver: func(e *faulty, m *protocol.Message) {
			if late := replace(e, m.Room, false); !late {
				e.feed.Deliver(m)
			}
		},
	}},
	{"tells the room of a subscription", []string{"subscribe/LeavesTheLogAlone"}, breach{subscribe: func(e *faulty, room string) {
		_, _ = e.now(&engine.Publication{Message: &protocol.Message{Room: room}})
	}}},

	// records
	{"keeps the first record of a name", []string{"record/IsKeptAndReplaced"}, breach{put: func(e *faulty, r engine.Record) error {
		r, _ = remember(e, r.Kind+r.Key, r)
		return e.Engine.PutRecord(context.Background(), r)
	}}},
	{"names records by their key alone", []string{"record/IsKeptAndReplaced"}, breach{put: func(e *faulty, r engine.Record) error {
		if kind, ok := remember(e, r.Key, r.Kind); ok {
			_ = e.Engine.PutRecord(context.Background(), engine.Record{Kind: kind, Key: r.Key})
		}
		return e.Engine.PutRecord(context.Background(), r)
	}}},
	{"ignores records that have expired", []string{"record/IsRemovedWhenExpired"}, breach{put: func(e *faulty, r engine.Record) error {
		if !r.Expires.After(time.Now()) {
			return nil
		}
		return e.Engine.PutRecord(context.Background(), r)
	}}},
	{"keeps records too long", []string{"record/Expires", "record/ExpiresInTime"}, breach{put: func(e *faulty, r engine.Record) error {
		r.Expires = r.Expires.Add(30 * time.Second)
		return e.Engine.PutRecord(context.Background(), r)
	}}},

	// life
	{"works on when closed", []string{"life/ClosedAnswersErrClosed", "life/FeedsNothingOnceClosed"}, breach{close: func(e *faulty) error {
		if closed := replace(e, "closed", true); closed {
			return e.Engine.Close(context.Background())
		}
		return nil
	}}},
	{"lets the time fall", []string{"life/TimeNeverFalls"}, breach{publish: answered(func(e *faulty, _ *engine.Publication, r *engine.Receipt) {
		n, _ := remember(e, "n", int64(0))
		replace(e, "n", n+1)
		r.Time -= n
	})}},
}
