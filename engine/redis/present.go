package redis

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// errNote reports a note that another node has not written, or one of another version.
var errNote = errors.New("not a note of this version")

// note is what a node tells the others of a room: beside it stands a stamp whose time is the version.
type note struct {
	Node  string     `json:"node"`
	Users []sighting `json:"users"`
}

// sighting is an engine.Sighting as nodes tell it.
type sighting struct {
	User  string          `json:"user"`
	Name  string          `json:"name,omitempty"`
	State json.RawMessage `json:"state,omitempty"`
	Stamp int64           `json:"stamp,omitempty"`
	Named int64           `json:"named,omitempty"`
	Left  bool            `json:"left,omitempty"`
}

func (s sighting) opened() engine.Sighting {
	who := protocol.Member{User: s.User, Name: s.Name, State: s.State}
	return engine.Sighting{Member: who, Stamp: s.Stamp, Named: s.Named, Left: s.Left}
}

// SetPresent implements engine.Presence.
func (e *Engine) SetPresent(ctx context.Context, room string, users []engine.Sighting, whole bool) (uint64, error) {
	version, err := e.setPresent(ctx, room, users, whole)
	if err != nil {
		return 0, fmt.Errorf("redis: presence %q: %w", room, err)
	}
	return version, nil
}

func (e *Engine) setPresent(ctx context.Context, room string, users []engine.Sighting, whole bool) (uint64, error) {
	if err := e.begin(); err != nil {
		return 0, err
	}
	defer e.end()
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	n := note{Node: e.lease.node, Users: make([]sighting, len(users))}
	var words []string
	for i, u := range users {
		n.Users[i] = sighting{u.User, u.Name, u.State, u.Stamp, u.Named, u.Left}
		text := ""
		if !u.Left {
			b, err := json.Marshal(n.Users[i])
			if err != nil {
				return 0, err
			}
			text = string(b)
		}
		words = append(words, u.User, text)
	}
	if whole {
		n.Users = nil
	}
	body, err := json.Marshal(n)
	if err != nil {
		return 0, err
	}
	arguments := append([]string{
		n.Node, milliseconds(presentLife), flag(whole), e.names.channel(room), e.publishCommand(), string(body),
	}, words...)
	keys := []string{e.names.present(room), e.names.presentOn(room, n.Node)}
	said, err := e.do(ctx, e.scripts.present, keys, arguments...).AsIntSlice()
	switch {
	case err != nil:
		return 0, failure(err, engine.ErrTimeout)
	case len(said) != 2:
		return 0, errScript
	}
	e.rolls.note(room, said[1] > 0)
	return uint64(said[0]), nil
}

// ListPresent implements engine.Presence. What nodes said that do not live any more is removed.
func (e *Engine) ListPresent(ctx context.Context, room string) ([]engine.Roll, error) {
	rolls, err := e.listPresent(ctx, room)
	if err != nil {
		return nil, fmt.Errorf("redis: presence %q: %w", room, err)
	}
	return rolls, nil
}

func (e *Engine) listPresent(ctx context.Context, room string) ([]engine.Roll, error) {
	if err := e.begin(); err != nil {
		return nil, err
	}
	defer e.end()
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	index := e.names.present(room)
	versions, err := e.client.Do(ctx, e.client.B().Hgetall().Key(index).Build()).AsIntMap()
	if err != nil {
		return nil, failure(err, engine.ErrUnavailable)
	}
	living, err := e.living(ctx, versions)
	if err != nil {
		return nil, err
	}
	var rolls []engine.Roll
	var commands rueidis.Commands
	for node, version := range versions {
		if !living[node] {
			commands = append(commands,
				e.client.B().Del().Key(e.names.presentOn(room, node)).Build(), e.client.B().Hdel().Key(index).Field(node).Build())
			continue
		}
		rolls = append(rolls, engine.Roll{Node: node, Version: uint64(version)})
	}
	dead := len(commands)
	for _, r := range rolls {
		commands = append(commands, e.client.B().Hvals().Key(e.names.presentOn(room, r.Node)).Build())
	}
	if len(commands) == 0 {
		return nil, nil
	}
	for i, answer := range e.client.DoMulti(ctx, commands...)[dead:] {
		texts, err := answer.AsStrSlice()
		if err != nil {
			return nil, failure(err, engine.ErrUnavailable)
		}
		for _, text := range texts {
			var s sighting
			if err := json.Unmarshal([]byte(text), &s); err != nil {
				return nil, err
			}
			rolls[i].Users = append(rolls[i].Users, s.opened())
		}
	}
	return rolls, nil
}

// living returns which nodes live. Of one that is not known yet the server is asked.
func (e *Engine) living(ctx context.Context, versions map[string]int64) (map[string]bool, error) {
	living := map[string]bool{e.lease.node: true}
	var ends map[string]time.Duration
	for node := range versions {
		if e.lease.lives(node) || living[node] {
			living[node] = true
			continue
		}
		if ends == nil {
			var err error
			if _, ends, err = e.lease.renew(ctx, 0); err != nil {
				return nil, err
			}
		}
		if _, lives := ends[node]; lives {
			living[node] = true
		}
	}
	return living, nil
}

// PresenceVersions implements engine.Presence.
func (e *Engine) PresenceVersions(ctx context.Context, rooms []string) ([]map[string]uint64, error) {
	if err := e.begin(); err != nil {
		return nil, fmt.Errorf("redis: presence: %w", err)
	}
	defer e.end()
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	commands := make(rueidis.Commands, len(rooms))
	for i, room := range rooms {
		commands[i] = e.client.B().Hgetall().Key(e.names.present(room)).Build()
	}
	versions := make([]map[string]uint64, len(rooms))
	for i, answer := range e.client.DoMulti(ctx, commands...) {
		numbers, err := answer.AsIntMap()
		if err != nil {
			return nil, fmt.Errorf("redis: presence: %w", failure(err, engine.ErrUnavailable))
		}
		versions[i] = make(map[string]uint64, len(numbers))
		for node, n := range numbers {
			if node == e.lease.node || e.lease.lives(node) {
				versions[i][node] = uint64(n)
			}
		}
	}
	return versions, nil
}

// isNote reports whether what was published in a room is a note of who is there: its stamp has no epoch and the offset 1.
func isNote(text string) bool {
	const offset = "\x00\x00\x00\x00\x00\x00\x00\x01"
	return strings.HasPrefix(text, "\x00\x00\x00\x00\x00\x00\x00\x00"+offset)
}

// readNote hands a note over that another node has published.
func (f *feeder) readNote(room, text string) error {
	if len(text) < stampLen {
		return errNote
	}
	var n note
	if err := json.Unmarshal([]byte(text[stampLen:]), &n); err != nil || n.Node == "" {
		return errNote
	}
	neighbours := f.engine.lease.feed
	if n.Node == f.engine.lease.node || neighbours == nil {
		return nil
	}
	users := make([]engine.Sighting, len(n.Users))
	for i, u := range n.Users {
		users[i] = u.opened()
	}
	neighbours.Seen(room, n.Node, binary.BigEndian.Uint64([]byte(text[stampLen-8:stampLen])), users)
	return nil
}
