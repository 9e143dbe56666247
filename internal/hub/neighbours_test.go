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
		words = append(words, m.User+m.Name+string(m.State))
	}
	return strings.Join(words, " ")
}

// Whatever is lost of what nodes say: in the end all of them say the same, and it is the truth.
func TestPresenceConverges(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { converge(t, seed, false) })
		})
		t.Run(fmt.Sprint("hurried ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { converge(t, seed, true) })
		})
	}
}

func converge(t *testing.T, seed uint64, hurried bool) {
	c := &crowd{
		hurried: hurried,
		random:  rand.New(rand.NewPCG(seed, 2)), framing: new(lines), states: make(map[string]string), names: make(map[string]string),
		board: &board{
			random: rand.New(rand.NewPCG(seed, 1)), loss: 0.3, feeds: make(map[string]engine.Neighbours),
			rooms: make(map[string]map[string]*engine.Roll),
		},
	}
	for i := range 3 {
		e := &boarded{Engine: memory.New(memory.Options{}), board: c.board, node: fmt.Sprint("node", i)}
		c.hubs = append(c.hubs, newHubOn(t, e, nil, rule.Rule{Pattern: "**"}))
	}
	for i := range 300 {
		c.step(t, i)
	}
	c.agree(t, c.hubs)
	c.board.mu.Lock()
	clear(c.board.rooms) // everything is forgotten
	c.board.mu.Unlock()
	c.agree(t, c.hubs)
	c.board.dies("node2")
	c.agree(t, c.hubs[:2])
}

// Two nodes where a user takes another name in the same moment agree on one.
func TestNodesAgreeOnNamesOfOneMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{
			random: rand.New(rand.NewPCG(1, 1)), feeds: make(map[string]engine.Neighbours), rooms: make(map[string]map[string]*engine.Roll),
		}
		c := &crowd{framing: new(lines), board: b}
		for i := range 3 {
			e := &boarded{Engine: memory.New(memory.Options{}), board: b, node: fmt.Sprint("node", i)}
			c.hubs = append(c.hubs, newHubOn(t, e, nil, rule.Rule{Pattern: "**"}))
		}
		for _, names := range [][]string{{"Ann", "Zoe"}, {"Zed", "Abe"}} {
			for i, name := range names {
				socket := newSocket(c.hubs[i], c.framing, "alice")
				q := JoinRequest{Room: "r", Client: &socket.client, Name: name}
				if err := c.hubs[i].Join(t.Context(), q, socket, func(*Member, *protocol.Joined) {}); err != nil {
					t.Fatal(err)
				}
			}
			socket := newSocket(c.hubs[2], c.framing, "bob")
			q := JoinRequest{Room: "r", Client: &socket.client, Name: "Bob"}
			if err := c.hubs[2].Join(t.Context(), q, socket, func(*Member, *protocol.Joined) {}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Second)
			for i, h := range c.hubs {
				if got, want := users(t, h, "r"), "alice"+slices.Max(names)+" bobBob"; got != want {
					t.Errorf("node %d says %q, want %q", i, got, want)
				}
			}
		}
	})
}

// crowd is users who come to a room and leave it, on several nodes.
type crowd struct {
	random  *rand.Rand
	framing *lines
	board   *board
	hubs    []*Hub
	stays   []stay
	states  map[string]string // by user
	names   map[string]string // by user, what it said last
	hurried bool              // nobody waits until a name is known everywhere: the nodes have to agree on one
}

// stay is one connection of a user.
type stay struct {
	member *Member
	node   int
	user   string
}

// step has somebody come, leave, or say something.
func (c *crowd) step(t *testing.T, i int) {
	time.Sleep(time.Duration(c.random.IntN(200)) * time.Millisecond)
	switch n := c.random.IntN(3); {
	case n > 0 && len(c.stays) > 0:
		at := c.random.IntN(len(c.stays))
		s := c.stays[at]
		if n == 1 {
			c.hubs[s.node].Leave(s.member, Departure{Now: c.random.IntN(2) == 0})
			c.stays = slices.Delete(c.stays, at, at+1)
			return
		}
		c.states[s.user] = fmt.Sprint(i)
		c.hubs[s.node].SetState(s.member, []byte(c.states[s.user]))
		time.Sleep(20 * time.Second) // so that it is known everywhere
	default:
		s := stay{node: c.random.IntN(len(c.hubs)), user: fmt.Sprint("user", c.random.IntN(8))}
		socket := newSocket(c.hubs[s.node], c.framing, s.user)
		q := JoinRequest{Room: "r", Client: &socket.client, Presence: true, Name: fmt.Sprint("name", c.random.IntN(3))}
		for s.member == nil { // opening the room may fail
			_ = c.hubs[s.node].Join(t.Context(), q, socket, func(m *Member, _ *protocol.Joined) { s.member = m })
		}
		c.stays = append(c.stays, s)
		if c.names[s.user] != q.Name {
			c.names[s.user] = q.Name
			if !c.hurried {
				time.Sleep(20 * time.Second)
			}
		}
	}
	c.hubs[0].Flush()
}

// agree waits, and has the nodes say the same, and what is so.
func (c *crowd) agree(t *testing.T, hubs []*Hub) {
	t.Helper()
	time.Sleep(30 * time.Second)
	there := make(map[string]bool)
	for _, s := range c.stays {
		if s.node < len(hubs) {
			there[s.user] = true
		}
	}
	c.board.mu.Lock()
	c.board.loss = 0
	c.board.mu.Unlock()
	first := users(t, hubs[0], "r")
	for i, h := range hubs {
		if got := users(t, h, "r"); got != first {
			t.Errorf("node %d says %q, node 0 %q", i, got, first)
		}
		p, _ := h.Members("r", "", protocol.MaxMembers)
		var names []string
		for _, m := range p.Members {
			names = append(names, m.User)
			if !c.hurried && m.Name != c.names[m.User] {
				t.Errorf("node %d calls %s %q, want %q", i, m.User, m.Name, c.names[m.User])
			}
		}
		if want := slices.Sorted(maps.Keys(there)); !slices.Equal(names, want) {
			t.Errorf("node %d says %q, want %q", i, names, want)
		}
	}
}

// slow has what is read of who is where wait for a word.
type slow struct {
	*boarded
	reads chan chan struct{} // nil: it does not wait
}

func (e *slow) ListPresent(ctx context.Context, room string) ([]engine.Roll, error) {
	rolls, err := e.boarded.ListPresent(ctx, room)
	if e.reads != nil {
		goOn := make(chan struct{})
		e.reads <- goOn
		<-goOn
	}
	return rolls, err
}

func newBoard() *board {
	return &board{
		random: rand.New(rand.NewPCG(1, 1)), feeds: make(map[string]engine.Neighbours),
		rooms: make(map[string]map[string]*engine.Roll),
	}
}

// joinRoom has a user join a room.
func joinRoom(t *testing.T, h *Hub, user string) *Member {
	t.Helper()
	socket := newSocket(h, new(lines), user)
	var member *Member
	q := JoinRequest{Room: "r", Client: &socket.client, Presence: true}
	if err := h.Join(t.Context(), q, socket, func(m *Member, _ *protocol.Joined) { member = m }); err != nil {
		t.Fatal(err)
	}
	return member
}

// A name that somebody takes on one node is heard on the others, also where the user is, too; who opens the room later
// hears it from whichever node there is.
func TestANewNameIsHeardOnAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard()
		var hubs []*Hub
		for i := range 3 {
			e := &boarded{Engine: memory.New(memory.Options{}), board: b, node: fmt.Sprint("node", i)}
			hubs = append(hubs, newHubOn(t, e, nil, rule.Rule{Pattern: "**"}))
		}
		watcher := newSocket(hubs[0], new(lines), "bob")
		watcher.join(t, JoinRequest{Room: "r", Presence: true})
		come := func(node int, name string) *socket {
			s := newSocket(hubs[node], new(lines), "alice")
			s.join(t, JoinRequest{Room: "r", Name: name})
			time.Sleep(time.Second)
			return s
		}
		told := func(want string) {
			t.Helper()
			hubs[0].Flush()
			got := ""
			for _, e := range watcher.take(t) {
				got += fmt.Sprintf(" %s %s %d", e.Type, e.Name, e.Count)
			}
			expect(t, "what the watcher is told", got, want)
		}
		first := come(1, "Zoe")
		told(" user_joined Zoe 2")
		come(0, "Ann")
		told(" user_joined Ann 2")
		hubs[1].Rename(first.member, "Anna")
		time.Sleep(time.Second)
		told(" user_joined Anna 2")
		b.dies("node1")
		time.Sleep(time.Second)
		for i, h := range []*Hub{hubs[0], hubs[2]} {
			expect(t, fmt.Sprint("hub ", i), users(t, h, "r"), "aliceAnna bob")
		}
		told("")
	})
}

// What is waiting to be said of a whole room is said though everybody has left it meanwhile and the room is gone.
func TestNobodyStaysInARoomThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard()
		h := newHubOn(t, &boarded{Engine: memory.New(memory.Options{}), board: b, node: "node"}, nil, rule.Rule{Pattern: "**"})
		member := joinRoom(t, h, "alice")
		time.Sleep(time.Second)
		b.mu.Lock()
		b.loss = 1 // nothing can be said for now
		b.mu.Unlock()
		h.Forgotten()
		time.Sleep(time.Second)
		h.Leave(member, Departure{Now: true})
		time.Sleep(2 * linger)
		if h.Count() != 0 {
			t.Fatalf("%d rooms are open", h.Count())
		}
		b.mu.Lock()
		b.loss = 0
		b.mu.Unlock()
		time.Sleep(time.Second)
		b.mu.Lock()
		defer b.mu.Unlock()
		if users := b.rooms["r"]["node"].Users; len(users) != 0 {
			t.Fatalf("%+v are said to be there yet", users)
		}
	})
}

// A node that dies while it is read who is where leaves nobody behind, though what was read tells of it.
func TestANodeThatDiesWhileARoomIsReadLeavesNobodyBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard()
		other := newHubOn(t, &boarded{Engine: memory.New(memory.Options{}), board: b, node: "other"}, nil, rule.Rule{Pattern: "**"})
		joinRoom(t, other, "bob")
		time.Sleep(time.Second)
		reads := make(chan chan struct{})
		e := &slow{&boarded{Engine: memory.New(memory.Options{}), board: b, node: "node"}, reads}
		h := newHubOn(t, e, nil, rule.Rule{Pattern: "**"})
		joined := make(chan struct{})
		go func() {
			defer close(joined)
			joinRoom(t, h, "alice")
		}()
		goOn := <-reads // bob is in what it has read
		b.dies("other")
		time.Sleep(time.Second)
		close(goOn)
		<-joined
		if got := users(t, h, "r"); got != "alice" {
			t.Fatalf("there are %q", got)
		}
	})
}
