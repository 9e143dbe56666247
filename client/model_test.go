package client

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// model is a small server of the whole protocol, in memory, that fails as often as a test wants. What it does with
// producers, positions and history is written from the specification, not from the server of this module.
type model struct {
	*listener
	mu     sync.Mutex
	random *rand.Rand
	faults faults
	rooms  map[string]*modelRoom
	conns  map[*modelConn]bool
	keep   int // messages of a room's log; 0 is all
	tasks  sync.WaitGroup
}

// faults are the probabilities of what may go wrong, per publish.
type faults struct {
	refuse float64 // with an error that may pass; nothing is stored
	unsure float64 // `timeout`, stored or not
	late   float64 // the connection ends, and what the client sent meanwhile arrives a while later
	cut    float64 // the connection ends after the publish was stored, and nothing is answered
}

type modelRoom struct {
	epoch     string
	base      int // offset of the last message that was trimmed
	log       []string
	producers map[string]*producer
	keys      map[string]int
	members   map[*modelConn]bool
}

type producer struct {
	last    uint64
	offsets map[uint64]int
}

type modelConn struct {
	model *model
	conn  net.Conn
	mu    sync.Mutex
	wake  chan struct{}
	out   [][]byte
	ended bool
}

func newModel(t *testing.T, seed uint64, f faults) *model {
	m := &model{listener: listen(t), random: rand.New(rand.NewPCG(seed, seed)), faults: f}
	m.rooms, m.conns = make(map[string]*modelRoom), make(map[*modelConn]bool)
	return m
}

// serve takes connections until the test ends the listener.
func (m *model) serve() {
	for conn := range m.listener.conns {
		c := &modelConn{model: m, conn: conn, wake: make(chan struct{}, 1)}
		m.tasks.Go(c.write)
		m.tasks.Go(c.read)
	}
	m.tasks.Wait()
}

// chance says yes with a probability. m.mu is held.
func (m *model) chance(p float64) bool { return m.random.Float64() < p }

// room returns a room. m.mu is held.
func (m *model) room(name string) *modelRoom {
	r := m.rooms[name]
	if r == nil {
		r = &modelRoom{epoch: "aaaaaaab", producers: make(map[string]*producer), keys: make(map[string]int), members: make(map[*modelConn]bool)}
		m.rooms[name] = r
	}
	return r
}

func (r *modelRoom) head() int { return r.base + len(r.log) }

func (r *modelRoom) at(offset int) string { return fmt.Sprintf("%s.%d.00000000", r.epoch, offset) }

// cutAll ends all connections without a word.
func (m *model) cutAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.conns {
		m.drop(c)
	}
}

// drop ends a connection. m.mu is held.
func (m *model) drop(c *modelConn) {
	delete(m.conns, c)
	for _, r := range m.rooms {
		delete(r.members, c)
	}
	c.end()
}

func (c *modelConn) end() {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.poke()
	_ = c.conn.Close()
}

func (c *modelConn) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// send queues a text frame, so that the model never waits for a client.
func (c *modelConn) send(format string, args ...any) {
	c.mu.Lock()
	c.out = append(c.out, fmt.Appendf(nil, format, args...))
	c.mu.Unlock()
	c.poke()
}

func (c *modelConn) write() {
	for {
		c.mu.Lock()
		out, ended := c.out, c.ended
		c.out = nil
		c.mu.Unlock()
		for _, text := range out {
			if writeFrame(c.conn, 1, text) != nil {
				return
			}
		}
		if len(out) == 0 {
			if ended {
				return
			}
			<-c.wake
		}
	}
}

func (c *modelConn) read() {
	m := c.model
	p := &peer{t: m.t, conn: c.conn, reader: bufio.NewReader(c.conn)}
	defer func() {
		m.mu.Lock()
		m.drop(c)
		m.mu.Unlock()
	}()
	var err error
	if p.request, err = http.ReadRequest(p.reader); err != nil {
		return
	}
	p.upgrade()
	m.mu.Lock()
	m.conns[c] = true
	m.mu.Unlock()
	c.send(`{"type":"welcome","client":"c","user":"u","node":"n","protocol":1,"ping_interval":25,"max_message":65536}`)
	for {
		e, closed, err := readEnvelope(p.reader)
		if err != nil {
			return
		}
		if closed != nil {
			_ = writeFrame(c.conn, 8, closed)
			return
		}
		m.mu.Lock()
		if e.Type == "publish" && m.chance(m.faults.late) {
			m.mu.Unlock()
			c.becomeLate(p, e)
			return
		}
		m.handle(c, e)
		m.mu.Unlock()
	}
}

// becomeLate takes what the client sends for a while, ends the connection, and lets all that be handled later.
func (c *modelConn) becomeLate(p *peer, e *envelope) {
	m := c.model
	backlog := []*envelope{e}
	_ = c.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	for {
		e, _, err := readEnvelope(p.reader)
		if err != nil || e == nil {
			break
		}
		backlog = append(backlog, e)
	}
	m.mu.Lock()
	m.drop(c)
	delay := time.Duration(m.random.IntN(4000)) * time.Millisecond
	m.mu.Unlock()
	time.Sleep(delay)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range backlog {
		if e.Type == "publish" && !forbidden(e) {
			m.publish(m.room(e.Room), e)
		}
	}
}

// handle handles one request. m.mu is held.
func (m *model) handle(c *modelConn, e *envelope) {
	r := m.room(e.Room)
	switch e.Type {
	case "join":
		m.join(c, r, e)
	case "leave":
		delete(r.members, c)
		c.send(`{"type":"ok","id":%s,"of":"leave","room":%q}`, e.ID, e.Room)
	case "publish":
		m.answerPublish(c, r, e)
	case "history":
		m.history(c, r, e)
	case "ping":
		c.send(`{"type":"pong","server_ts":1}`)
	default:
		c.send(`{"type":"error","id":%s,"of":%q,"code":"unknown_type","message":"?","retryable":false}`, e.ID, e.Type)
	}
}

func (m *model) join(c *modelConn, r *modelRoom, e *envelope) {
	from, recovered := r.head(), ""
	if e.Last > 0 {
		from = max(r.base, r.head()-e.Last)
	}
	if e.Since != "" {
		offset, reason := r.prove(e.Since)
		recovered = `,"recovered":true`
		from = offset
		if reason != "" {
			recovered = fmt.Sprintf(`,"recovered":false,"reason":%q`, reason)
			from = r.head()
		}
	}
	r.members[c] = true
	c.send(`{"type":"ok","id":%s,"of":"join","room":%q,"pos":%q,"head":%q,"count":%d%s}`,
		e.ID, e.Room, r.at(from), r.at(r.head()), r.head()-from, recovered)
	for offset := from + 1; offset <= r.head(); offset++ {
		c.send("%s", r.message(e.Room, offset))
	}
}

// prove returns the offset of a position, or why it cannot be proven.
func (r *modelRoom) prove(text string) (int, protocol.Reason) {
	p, err := protocol.ParsePosition(text)
	switch {
	case err != nil || text[:8] != r.epoch:
		return 0, protocol.ReasonEpoch
	case int(p.Offset) < r.base:
		return 0, protocol.ReasonExpired
	case int(p.Offset) > r.head():
		return 0, protocol.ReasonDiverged
	}
	return int(p.Offset), ""
}

func (r *modelRoom) message(room string, offset int) string {
	return fmt.Sprintf(`{"type":"message","room":%q,"pos":%q,"from":{"user":"u"},"ts":1,"data":%s}`, room, r.at(offset), r.log[offset-r.base-1])
}

func (m *model) history(c *modelConn, r *modelRoom, e *envelope) {
	offset, reason := r.prove(e.Since)
	if reason != "" {
		c.send(`{"type":"ok","id":%s,"of":"history","room":%q,"messages":[],"recovered":false,"reason":%q,"pos":%q}`, e.ID, e.Room, reason, r.at(r.head()))
		return
	}
	limit := min(e.Limit, 100)
	var list []json.RawMessage
	for len(list) < limit && offset < r.head() {
		offset++
		list = append(list, json.RawMessage(r.message(e.Room, offset)))
	}
	text, _ := json.Marshal(list)
	if list == nil {
		text = []byte("[]")
	}
	c.send(`{"type":"ok","id":%s,"of":"history","room":%q,"messages":%s,"pos":%q,"more":%v}`, e.ID, e.Room, text, r.at(offset), offset < r.head())
}

// answerPublish publishes, or fails in one of many ways.
func (m *model) answerPublish(c *modelConn, r *modelRoom, e *envelope) {
	fail := func(code, more string) {
		c.send(`{"type":"error","id":%s,"of":"publish","code":%q,"message":"by chance","retryable":true%s}`, e.ID, code, more)
	}
	switch {
	case forbidden(e):
		fail("forbidden", "")
		return
	case m.chance(m.faults.refuse):
		codes := []string{"rate_limited", "overloaded", "engine_unavailable", "storage_full"}
		fail(codes[m.random.IntN(len(codes))], `,"retry_after":0.05`)
		return
	case m.chance(m.faults.unsure):
		if m.chance(0.5) {
			m.publish(r, e)
		}
		fail("timeout", "")
		return
	}
	offset, duplicate, stored := m.publish(r, e)
	switch {
	case !stored:
		fail("out_of_order", "")
	case m.chance(m.faults.cut):
		m.drop(c)
	default:
		c.send(`{"type":"ok","id":%s,"of":"publish","room":%q,"pos":%q,"ts":1,"duplicate":%v}`, e.ID, e.Room, r.at(offset), duplicate)
	}
}

// forbidden reports whether the model never stores the message.
func forbidden(e *envelope) bool {
	var c content
	return json.Unmarshal(e.Data, &c) == nil && c.Forbidden
}

// publish stores a message once, and delivers it. PROTOCOL: last + 1 is stored; a lower one is a duplicate; a higher
// one, or an unknown producer with another seq than 1, is out of order.
func (m *model) publish(r *modelRoom, e *envelope) (offset int, duplicate, stored bool) {
	p := r.producers[e.Producer]
	if e.Producer != "" {
		if p == nil {
			p = &producer{offsets: make(map[uint64]int)}
		}
		switch {
		case e.Seq <= p.last:
			return p.offsets[e.Seq], true, true
		case e.Seq != p.last+1:
			return 0, false, false
		}
		r.producers[e.Producer] = p
		p.last = e.Seq
	} else if offset, ok := r.keys[e.Key]; ok && e.Key != "" {
		return offset, true, true
	}
	r.log = append(r.log, string(e.Data))
	offset = r.head()
	if p != nil {
		p.offsets[e.Seq] = offset
	}
	if e.Key != "" {
		r.keys[e.Key] = offset
	}
	if m.keep > 0 && len(r.log) > m.keep {
		r.base += len(r.log) - m.keep
		r.log = r.log[len(r.log)-m.keep:]
	}
	for c := range r.members {
		c.send("%s", r.message(e.Room, offset))
	}
	return offset, false, true
}
