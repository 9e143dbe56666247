package scenarios

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// patience is how long anything may take. It only ends what would never end.
const patience = 30 * time.Second

// arrival is an envelope without its framing.
type arrival struct {
	id   string // of the request that it answers; empty for others
	text []byte
	head struct {
		Type, Of, Room, Code, Pos string
		ID                        json.RawMessage
	}
	made  bool // by the carrier, which was told this without an envelope
	early bool // others of its kind may have been passed over
}

// arrive returns an arrival; id is that of the request where the envelope does not say it.
func arrive(id string, text []byte) (arrival, error) {
	a := arrival{id: id, text: slices.Clone(text)}
	if err := json.Unmarshal(text, &a.head); err != nil {
		return a, fmt.Errorf("%w in %q", err, text)
	}
	if a.id == "" && (a.head.Type == "ok" || a.head.Type == "error") {
		a.id = string(a.head.ID)
	}
	return a, nil
}

// mail is what has arrived for one client, in order.
type mail struct {
	mu      sync.Mutex
	changed chan struct{} // closed at the next change
	waiting []arrival
	end     error         // nil while more may come
	held    chan struct{} // closed when the client reads again; nil unless it does not
	awaited string        // the reply that passes all the same
}

func newMail() *mail { return &mail{changed: make(chan struct{})} }

// add adds what has arrived. While the client does not read, whoever brings it waits, but for the reply that is awaited.
func (m *mail) add(a arrival) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for held := m.held; held != nil && (a.id == "" || a.id != m.awaited); held = m.held {
		m.mu.Unlock()
		<-held
		m.mu.Lock()
	}
	m.waiting = append(m.waiting, a)
	m.wake()
}

// await tells which reply is awaited next.
func (m *mail) await(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.awaited = id
}

// hold has the client read nothing but awaited replies, and release everything again.
func (m *mail) hold() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = make(chan struct{})
}

func (m *mail) release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held != nil {
		close(m.held)
		m.held = nil
	}
}

// finish notes that nothing more comes; the first reason counts.
func (m *mail) finish(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.end == nil {
		m.end = err
		m.wake()
	}
}

func (m *mail) wake() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// reply returns the answer to a request. Nothing of a room comes before the answer to its join.
func (m *mail) reply(id string) (arrival, error) {
	a, before, err := m.take(func(a *arrival) bool { return a.id == id })
	if err != nil {
		return a, fmt.Errorf("the reply to request %s: %w", id, err)
	}
	for _, early := range before {
		if a.head.Of == "join" && early.head.Type == "message" && early.head.Room == a.head.Room {
			return a, fmt.Errorf("%s came before %s", early.text, a.text)
		}
	}
	return a, nil
}

// push returns what came next unasked.
func (m *mail) push() (arrival, error) {
	a, _, err := m.take(func(a *arrival) bool { return a.id == "" })
	return a, err
}

// ended returns what came last, and why nothing more comes.
func (m *mail) ended() ([]arrival, error) {
	_, rest, err := m.take(func(*arrival) bool { return false })
	if errors.Is(err, errLate) {
		return rest, err
	}
	return rest, m.end
}

var errLate = errors.New("it does not come")

// take removes the first arrival that is the one, waiting for it; before are those in front of it.
func (m *mail) take(one func(*arrival) bool) (a arrival, before []arrival, err error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		m.mu.Lock()
		for i := range m.waiting {
			if one(&m.waiting[i]) {
				a, before = m.waiting[i], slices.Clone(m.waiting[:i])
				m.waiting = slices.Delete(m.waiting, i, i+1)
				m.mu.Unlock()
				return a, before, nil
			}
		}
		changed, end, all := m.changed, m.end, slices.Clone(m.waiting)
		m.mu.Unlock()
		if end != nil {
			return a, all, fmt.Errorf("%w; unread: %s", end, texts(all))
		}
		select {
		case <-changed:
		case <-late.C:
			return a, all, fmt.Errorf("%w; unread: %s", errLate, texts(all))
		}
	}
}

// rest takes what nobody has read, but for pings: they come when they come.
func (m *mail) rest() []arrival {
	m.mu.Lock()
	defer m.mu.Unlock()
	rest := slices.DeleteFunc(m.waiting, func(a arrival) bool { return a.head.Type == "ping" })
	m.waiting = nil
	return rest
}

func texts(all []arrival) (texts []string) {
	for i := range all {
		texts = append(texts, string(all[i].text))
	}
	return texts
}

// closing is the end of a connection in the words of its carrier.
type closing struct {
	code   int // of a close frame, 0 where the carrier has none
	reason string
}

func (c *closing) Error() string { return fmt.Sprintf("closed with %d %s", c.code, c.reason) }
