package memory

import (
	"container/list"
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// room is what is known of one room.
type room struct {
	name string

	mu         sync.Mutex
	head       protocol.Position
	time       int64         // Unix milliseconds of the newest message; the next is never earlier
	used       time.Duration // of the last publish, also one recognised as a duplicate
	retention  engine.Retention
	log        log
	latest     *latest              // nil when no newest per event is kept
	producers  map[string]*producer // nil when there is none
	subscribed bool
	gone       bool          // no longer in its shard: look it up again
	inLogs     *list.Element // of Engine.logs
	inIdle     *list.Element // of Engine.idle
}

// newRoom returns a room in which nothing was stored yet.
func newRoom(name string, epoch protocol.Epoch) *room {
	start := protocol.Position{Epoch: epoch}
	return &room{name: name, head: start, log: log{base: start}}
}

// unwritten reports whether nothing was ever stored in the room. The room's lock is held.
func (r *room) unwritten() bool { return r.head.Offset == 0 }

// bytes returns what the room keeps. The room's lock is held.
func (r *room) bytes() int64 {
	if r.latest == nil {
		return r.log.bytes
	}
	return r.log.bytes + r.latest.bytes
}

const shards = 64

// shard is a part of the engine's rooms.
type shard struct {
	mu    sync.RWMutex
	rooms map[string]*room // nil once the engine is closed
	// epoch is that of the rooms in which nothing was stored, so that they need no record. It is exchanged whenever a
	// room is forgotten that had messages: no room ever gets an epoch again that it had before.
	epoch protocol.Epoch

	_ [64]byte // shards that are neighbours share no cache line
}

func (s *shard) init() {
	s.rooms = make(map[string]*room)
	s.epoch = protocol.NewEpoch()
}

// find returns the room, or nil and the epoch that it begins with.
func (s *shard) find(name string) (*room, protocol.Epoch, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.rooms == nil {
		return nil, 0, engine.ErrClosed
	}
	return s.rooms[name], s.epoch, nil
}

// keep returns the room, with a record of it in the shard.
func (s *shard) keep(name string) (*room, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms == nil {
		return nil, engine.ErrClosed
	}
	r := s.rooms[name]
	if r == nil {
		r = newRoom(strings.Clone(name), s.epoch)
		s.rooms[r.name] = r
	}
	return r, nil
}

// list appends the shard's rooms to rooms.
func (s *shard) list(rooms []*room) []*room {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, r := range s.rooms {
		rooms = append(rooms, r)
	}
	return rooms
}

// close ends the shard and returns the rooms that it had.
func (s *shard) close() map[string]*room {
	s.mu.Lock()
	defer s.mu.Unlock()
	rooms := s.rooms
	s.rooms = nil
	return rooms
}

// shard returns the shard of a room.
func (e *Engine) shard(name string) *shard { return &e.shards[maphash.String(e.seed, name)%shards] }

// look returns the room, locked. Nothing keeps it when nothing is known of it.
func (e *Engine) look(name string) (*room, error) {
	s := e.shard(name)
	for {
		r, epoch, err := s.find(name)
		if err != nil {
			return nil, err
		}
		if r == nil {
			r = newRoom(name, epoch)
		}
		if r.mu.Lock(); !r.gone {
			return r, nil
		}
		r.mu.Unlock()
	}
}

// hold returns the room, locked and kept. Where it is new and for a publish, the bound on the number of rooms holds.
func (e *Engine) hold(name string, publish bool) (*room, error) {
	s := e.shard(name)
	for {
		r, _, err := s.find(name)
		if r == nil && err == nil && publish {
			err = e.spaceForRoom()
		}
		if r == nil && err == nil {
			r, err = s.keep(name)
		}
		if err != nil {
			return nil, err
		}
		if r.mu.Lock(); !r.gone {
			return r, nil
		}
		r.mu.Unlock()
	}
}

// forget drops what is known of r if nobody is subscribed to it and may agrees. No lock is held.
func (e *Engine) forget(r *room, may func(*room) bool) {
	s := e.shard(r.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.rooms[r.name] != r || r.subscribed || !may(r) {
		return
	}
	delete(s.rooms, r.name)
	if !r.unwritten() {
		s.epoch = protocol.NewEpoch()
	}
	e.end(r)
}

// end takes r, which is no longer in its shard, out of everything else. Its lock is held.
func (e *Engine) end(r *room) {
	r.gone = true
	e.bytes.Add(-r.bytes())
	e.logs.remove(&r.inLogs)
	e.idle.remove(&r.inIdle)
	for _, p := range r.producers {
		e.quota.release(p.owner)
	}
}
