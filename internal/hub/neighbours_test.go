package hub

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/memory"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/protocol"
)

// board is what nodes say to each other of who is where. It loses some of the words on their way, fails at times, and
// may forget everything.
type board struct {
	mu     sync.Mutex
	random *rand.Rand
	loss   float64
	feeds  map[string]engine.Neighbours
	rooms  map[string]map[string]*engine.Roll // by room and node
}

// boarded is one node's engine: its messages are its own.
type boarded struct {
	engine.Engine
	board *board
	node  string
}

func (b *boarded) Open(ctx context.Context, feed engine.Feed) error {
	b.board.mu.Lock()
	b.board.feeds[b.node] = feed.(engine.Neighbours)
	b.board.mu.Unlock()
	return b.Engine.Open(ctx, feed)
}

func (b *boarded) Node() string { return b.node }

func (b *boarded) SetPresent(_ context.Context, room string, users []engine.Sighting, whole bool) (uint64, error) {
	time.Sleep(time.Millisecond)
	b.board.mu.Lock()
	defer b.board.mu.Unlock()
	if b.board.feeds[b.node] == nil || b.board.random.Float64() < b.board.loss {
		return 0, engine.ErrTimeout
	}
	rolls := b.board.rooms[room]
	if rolls == nil {
		rolls = make(map[string]*engine.Roll)
		b.board.rooms[room] = rolls
	}
	roll := rolls[b.node]
	if roll == nil {
		roll = &engine.Roll{Node: b.node}
		rolls[b.node] = roll
	}
	told := users
	if roll.Version++; whole {
		roll.Version++
		roll.Users, told = nil, nil
	}
	for _, u := range users {
		roll.Users = slices.DeleteFunc(slices.Clone(roll.Users), func(s engine.Sighting) bool { return s.User == u.User })
		if !u.Left {
			roll.Users = append(roll.Users, u)
		}
	}
	for node, feed := range b.board.feeds {
		if node != b.node && b.board.random.Float64() >= b.board.loss {
			feed.Seen(room, b.node, roll.Version, told)
		}
	}
	return roll.Version, nil
}

func (b *boarded) ListPresent(_ context.Context, room string) ([]engine.Roll, error) {
	time.Sleep(time.Millisecond)
	b.board.mu.Lock()
	defer b.board.mu.Unlock()
	if b.board.random.Float64() < b.board.loss {
		return nil, engine.ErrUnavailable
	}
	var rolls []engine.Roll
	for _, roll := range b.board.rooms[room] {
		rolls = append(rolls, *roll)
	}
	return rolls, nil
}

func (b *boarded) PresenceVersions(_ context.Context, rooms []string) ([]map[string]uint64, error) {
	b.board.mu.Lock()
	defer b.board.mu.Unlock()
	versions := make([]map[string]uint64, len(rooms))
	for i, room := range rooms {
		versions[i] = make(map[string]uint64)
		for node, roll := range b.board.rooms[room] {
			versions[i][node] = roll.Version
		}
	}
	return versions, nil
}

// dies ends a node's word, as when its lease ends.
func (b *board) dies(node string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.feeds, node)
	for _, rolls := range b.rooms {
		delete(rolls, node)
	}
	for _, feed := range b.feeds {
		feed.NodeLeft(node)
	}
}

// users returns who is in a room as a hub says, with their state.
func users(t *testing.T, h *Hub, room string) string {
	t.Helper()
	p, err := h.Members(room, "", protocol.MaxMembers)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, m := range p.Members {
		words = append(words, m.User+string(m.State))
	}
	return strings.Join(words, " ")
}

// Whatever is lost of what nodes say: in the end all of them say the same, and it is the truth.
func TestPresenceConverges(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { converge(t, seed) })
		})
	}
}

func converge(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 2))
	b := &board{
		random: rand.New(rand.NewPCG(seed, 1)), loss: 0.3, feeds: make(map[string]engine.Neighbours),
		rooms: make(map[string]map[string]*engine.Roll),
	}
	var hubs []*Hub
	for i := range 3 {
		e := &boarded{Engine: memory.New(memory.Options{}), board: b, node: fmt.Sprint("node", i)}
		hubs = append(hubs, newHubOn(t, e, nil, rule.Rule{Pattern: "**"}))
	}
	framing := new(lines)
	type stay struct {
		member *Member
		node   int
		user   string
	}
	var stays []stay
	states := make(map[string]string)
	for i := range 300 {
		time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
		switch n := random.IntN(3); {
		case n > 0 && len(stays) > 0: // somebody leaves, or says something
			at := random.IntN(len(stays))
			s := stays[at]
			if n == 1 {
				hubs[s.node].Leave(s.member, Departure{Now: random.IntN(2) == 0})
				stays = slices.Delete(stays, at, at+1)
				continue
			}
			states[s.user] = fmt.Sprint(i)
			hubs[s.node].SetState(s.member, []byte(states[s.user]))
			time.Sleep(20 * time.Second) // so that it is known everywhere
		default:
			s := stay{node: random.IntN(len(hubs)), user: fmt.Sprint("user", random.IntN(8))}
			socket := newSocket(hubs[s.node], framing, s.user)
			q := JoinRequest{Room: "r", Client: &socket.client, Presence: true}
			for s.member == nil { // opening the room may fail
				_ = hubs[s.node].Join(t.Context(), q, socket, func(m *Member, _ *protocol.Joined) { s.member = m })
			}
			stays = append(stays, s)
		}
		hubs[0].Flush()
	}
	agree := func(hubs []*Hub) {
		t.Helper()
		time.Sleep(30 * time.Second)
		there := make(map[string]bool)
		for _, s := range stays {
			if s.node < len(hubs) {
				there[s.user] = true
			}
		}
		b.mu.Lock()
		b.loss = 0
		b.mu.Unlock()
		first := users(t, hubs[0], "r")
		for i, h := range hubs {
			if got := users(t, h, "r"); got != first {
				t.Errorf("node %d says %q, node 0 %q", i, got, first)
			}
			p, _ := h.Members("r", "", protocol.MaxMembers)
			var names []string
			for _, m := range p.Members {
				names = append(names, m.User)
			}
			if want := slices.Sorted(maps.Keys(there)); !slices.Equal(names, want) {
				t.Errorf("node %d says %q, want %q", i, names, want)
			}
		}
	}
	agree(hubs)
	b.mu.Lock()
	clear(b.rooms) // everything is forgotten
	b.mu.Unlock()
	agree(hubs)
	b.dies("node2")
	agree(hubs[:2])
}
