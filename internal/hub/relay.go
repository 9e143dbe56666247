package hub

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

const (
	askRoom      = "$ask"
	answerRoom   = "$answer/" // and the node's name
	maxAnswering = 4          // questions of other nodes at once; more are not answered
)

// relay asks the other nodes of a shared engine, and answers them, by messages that nobody keeps. The zero value has
// nobody to ask.
type relay struct {
	node  string // empty: there are no others
	slots chan struct{}

	mu      sync.Mutex
	number  uint64
	waiting map[uint64]chan<- []byte
	answer  func(question []byte) []byte
}

// relayed is what travels.
type relayed struct {
	Node   string          `json:"node"` // who asks
	Number uint64          `json:"number"`
	Body   json.RawMessage `json:"body"`
}

func (l *relay) init(node string) {
	l.node, l.waiting, l.slots = node, make(map[uint64]chan<- []byte), make(chan struct{}, maxAnswering)
}

// startRelay has the hub hear what other nodes ask and answer.
func (h *Hub) startRelay(ctx context.Context) error {
	return errors.Join(h.engine.Subscribe(ctx, askRoom), h.engine.Subscribe(ctx, answerRoom+h.relay.node))
}

// Answer has questions of other nodes answered by f, which may wait. A question and its answer are JSON.
func (h *Hub) Answer(f func(question []byte) []byte) {
	h.relay.mu.Lock()
	defer h.relay.mu.Unlock()
	h.relay.answer = f
}

// Others reports whether there may be other nodes to ask.
func (h *Hub) Others() bool { return h.relay.node != "" }

// Ask asks the other nodes, and returns what those answer that do so in time.
func (h *Hub) Ask(ctx context.Context, question []byte, within time.Duration) [][]byte {
	l := &h.relay
	if l.node == "" {
		return nil
	}
	answers := make(chan []byte, 256)
	l.mu.Lock()
	l.number++
	number := l.number
	l.waiting[number] = answers
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.waiting, number)
	}()
	h.tellNode(askRoom, relayed{l.node, number, question})
	timer := time.NewTimer(within)
	defer timer.Stop()
	var all [][]byte
	for {
		select {
		case a := <-answers:
			all = append(all, a)
		case <-timer.C:
			return all
		case <-ctx.Done():
			return all
		case <-h.ctx.Done():
			return all
		}
	}
}

// tellNode publishes what nobody keeps. What is lost is not heard of.
func (h *Hub) tellNode(room string, what relayed) {
	data, err := json.Marshal(what)
	if err != nil {
		h.warn("a word to other nodes cannot be written", "error", err)
		return
	}
	message := &protocol.Message{Room: room, Data: data}
	h.engine.Publish(h.ctx, &engine.Publication{Message: message, Ephemeral: true}, func(engine.Receipt, error) {})
}

// hearRelayed takes what another node asks or answers, if m is that. It does not block.
func (h *Hub) hearRelayed(m *protocol.Message) {
	l := &h.relay
	if l.node == "" || m.Room != askRoom && m.Room != answerRoom+l.node {
		return
	}
	var heard relayed
	if json.Unmarshal(m.Data, &heard) != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case m.Room != askRoom:
		select {
		case l.waiting[heard.Number] <- heard.Body:
		default: // nobody waits any more
		}
	case heard.Node != l.node && l.answer != nil:
		h.answerTo(heard, l.answer)
	}
}

// answerTo answers a question in a goroutine of the hub, unless there are many.
func (h *Hub) answerTo(asked relayed, answer func([]byte) []byte) {
	select {
	case h.relay.slots <- struct{}{}:
	default:
		return
	}
	h.background(func() {
		defer func() { <-h.relay.slots }()
		h.tellNode(answerRoom+asked.Node, relayed{h.relay.node, asked.Number, answer(asked.Body)})
	})
}
