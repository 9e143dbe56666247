package hub

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

const (
	kickRecord = "kick"
	// kickSeparator stands in the key of a kick's record between room and user; no room's name has it.
	kickSeparator = "\n"
)

// kicks is who may not join which room until when.
type kicks struct {
	mu    sync.Mutex
	until map[kickKey]time.Time
}

type kickKey struct{ room, user string }

func (k *kicks) forbidden(room, user string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.until) > 0 && time.Now().Before(k.until[kickKey{room, user}])
}

func (k *kicks) set(room, user string, until time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.until[kickKey{room, user}] = until
}

// extend takes a kick of another node, and reports whether it is longer than what is known.
func (k *kicks) extend(room, user string, until time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key := (kickKey{room, user}); until.After(k.until[key]) {
		k.until[key] = until
		return true
	}
	return false
}

func (k *kicks) expire(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for key, until := range k.until {
		if !now.Before(until) {
			delete(k.until, key)
		}
	}
}

// Kick puts a user out of a room and forbids joining it for some time. It is kept as a record of the engine where the
// engine has records, and every node hears of it.
func (h *Hub) Kick(ctx context.Context, room, user, reason string, duration time.Duration) error {
	until := time.Now().Add(duration).Round(0)
	if records, ok := h.engine.(engine.Records); ok {
		record := engine.Record{Kind: kickRecord, Key: room + kickSeparator + user, Value: reason, Expires: until}
		if err := records.PutRecord(ctx, record); err != nil {
			return err
		}
	}
	h.kicks.set(room, user, until)
	h.putOut(room, user, reason, duration)
	h.Flush()
	return nil
}

// putOut ends the memberships of a user in a room.
func (h *Hub) putOut(room, user, reason string, duration time.Duration) {
	why := &protocol.Kicked{Room: room, Reason: reason, For: duration.Seconds()}
	for _, m := range h.membersOf(room, user) {
		if h.Leave(m, Departure{Why: LeftKicked, Now: true}) {
			m.receiver.Removed(m, why)
		}
	}
}

// membersOf returns the memberships of a user in a room.
func (h *Hub) membersOf(room, user string) []*Member {
	r := h.lookup(room)
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var members []*Member
	for _, m := range r.members {
		if m != nil && m.client.User == user {
			members = append(members, m)
		}
	}
	return members
}

// loadKicks reads the kicks that the engine keeps.
func (h *Hub) loadKicks(ctx context.Context) error {
	records, ok := h.engine.(engine.Records)
	if !ok {
		return nil
	}
	list, err := records.ListRecords(ctx)
	h.SetKicks(list)
	return err
}

// SetKicks takes the kicks among an engine's records that are not known here yet: another node has put them.
func (h *Hub) SetKicks(list []engine.Record) {
	for _, r := range list {
		room, user, found := strings.Cut(r.Key, kickSeparator)
		if r.Kind != kickRecord || !found || !h.kicks.extend(room, user, r.Expires.Round(0)) {
			continue
		}
		h.putOut(room, user, r.Value, time.Until(r.Expires))
	}
	h.Flush()
}
