package enginetest

import (
	"slices"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// model is a room as package engine describes it, in the simplest way there is: it forgets nothing.
type model struct {
	start     protocol.Position // before the first message
	all       []modelMessage    // ever stored
	left      int               // how many of them left the log
	latest    []modelMessage    // the newest per event, ascending
	keep      engine.Retention
	keys      map[modelKey]modelMessage
	producers map[string][]modelMessage // what each stored: the first has the sequence 1
}

type modelMessage struct {
	position protocol.Position
	time     int64 // of the receipt
	text     string
	event    string
	size     int
	at       time.Time
}

type modelKey struct{ owner, key string }

func newModel(start protocol.Position) *model {
	return &model{start: start, keys: make(map[modelKey]modelMessage), producers: make(map[string][]modelMessage)}
}

// head returns the position of the newest message.
func (m *model) head() protocol.Position { return m.before(len(m.all)) }

// before returns the position that the i-th message was stored after.
func (m *model) before(i int) protocol.Position {
	if i == 0 {
		return m.start
	}
	return m.all[i-1].position
}

// known returns the receipt of a publication that was stored before, or the error that it gets.
func (m *model) known(p *engine.Publication) (*engine.Receipt, error) {
	if p.Producer != "" {
		stored := m.producers[p.Producer]
		switch last := uint64(len(stored)); {
		case p.Seq == 0 || p.Seq > last+1:
			return nil, engine.ErrOutOfOrder
		case p.Seq == last+1:
			return nil, nil
		}
		return receiptOf(stored[p.Seq-1]), nil
	}
	stored, ok := m.keys[modelKey{owner: p.Owner, key: p.Message.Key}]
	if p.Message.Key == "" || !ok || time.Since(stored.at) > engine.KeyWindow {
		return nil, nil
	}
	return receiptOf(stored), nil
}

func receiptOf(m modelMessage) *engine.Receipt {
	return &engine.Receipt{Position: m.position, Time: m.time, Duplicate: true}
}

// store adds what p was stored as.
func (m *model) store(p *engine.Publication, r engine.Receipt, text string) {
	added := modelMessage{position: r.Position, time: r.Time, text: text, event: p.Message.Event, size: p.Message.Size(), at: time.Now()}
	m.trim() // what has left does not come back with a wider bound
	m.all = append(m.all, added)
	m.keep = p.Retention
	m.trim()
	m.latest = slices.DeleteFunc(m.latest, func(l modelMessage) bool { return !m.keep.Latest || l.event == added.event })
	if m.keep.Latest {
		m.latest = append(m.latest, added)
	}
	switch {
	case p.Producer != "":
		m.producers[p.Producer] = append(m.producers[p.Producer], added)
	case p.Message.Key != "":
		m.keys[modelKey{owner: p.Owner, key: p.Message.Key}] = added
	}
}

// trim lets what passes a bound leave the log.
func (m *model) trim() {
	for ; m.left < len(m.all); m.left++ {
		bytes := 0
		for _, kept := range m.all[m.left:] {
			bytes += kept.size
		}
		old := m.keep.Age > 0 && time.Since(m.all[m.left].at) > m.keep.Age
		if len(m.all)-m.left <= m.keep.Messages && (m.keep.Bytes == 0 || int64(bytes) <= m.keep.Bytes) && !old {
			return
		}
	}
}

// prove returns how many messages were stored up to p, or why it is no position of the log.
func (m *model) prove(p protocol.Position) (int, protocol.Reason) {
	switch {
	case p.Epoch != m.start.Epoch:
		return 0, protocol.ReasonEpoch
	case p.Offset < m.before(m.left).Offset:
		return 0, protocol.ReasonExpired
	}
	for i := m.left; i <= len(m.all); i++ {
		if m.before(i) == p {
			return i, ""
		}
	}
	return 0, protocol.ReasonDiverged
}

// modelPage is a page with the model's messages.
type modelPage struct {
	messages []modelMessage
	page     engine.Page // but Messages
}

// read answers q.
func (m *model) read(q engine.Query) modelPage {
	m.trim()
	p := modelPage{page: engine.Page{Head: m.head(), Start: m.head()}}
	at := 0
	switch {
	case !q.Since.IsZero():
		at, p.page.Refused = m.prove(q.Since)
	case !q.Before.IsZero():
		at, p.page.Refused = m.prove(q.Before)
	}
	switch {
	case q.Latest:
		m.readLatest(&p, q.Since)
	case p.page.Refused != "":
	case !q.Since.IsZero():
		p.page.Start = q.Since
		p.page.Count = len(m.all) - at
		p.messages = m.all[at:]
		for len(p.messages) > q.Limit || passes(p.messages, q.MaxBytes) {
			p.messages = p.messages[:len(p.messages)-1]
			p.page.More = true
		}
	case !q.Before.IsZero():
		m.readNewest(&p, max(at-1, m.left), q.Limit, q.MaxBytes)
	case q.Last > 0:
		m.readNewest(&p, len(m.all), min(q.Last, q.Limit), q.MaxBytes)
	}
	return p
}

// readNewest fills p with the newest of the first end messages.
func (m *model) readNewest(p *modelPage, end, limit, maxBytes int) {
	first := m.left
	for end-first > limit || passes(m.all[first:end], maxBytes) {
		first++
	}
	p.messages = m.all[first:end]
	p.page.More = first > m.left
	if first < end {
		p.page.Start = m.before(first)
	}
}

// readLatest fills p with the newest per event, after since where that is proven.
func (m *model) readLatest(p *modelPage, since protocol.Position) {
	p.messages = m.latest
	if !since.IsZero() && p.page.Refused == "" {
		p.messages = slices.DeleteFunc(slices.Clone(m.latest), func(l modelMessage) bool { return l.position.Offset <= since.Offset })
		p.page.Start = since
		p.page.Count = len(p.messages)
	}
	if len(p.messages) > 0 {
		i := slices.IndexFunc(m.all, func(stored modelMessage) bool { return stored.position == p.messages[0].position })
		p.page.Start = m.before(i)
	}
}

// passes reports whether messages are too large for a page.
func passes(messages []modelMessage, maxBytes int) bool {
	bytes := 0
	for _, m := range messages {
		bytes += m.size
	}
	return maxBytes > 0 && bytes > maxBytes && len(messages) > 1
}
