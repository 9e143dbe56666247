package bench

// publishNext publishes in the room whose turn it is, and reports whether there was one. The worker is locked.
func (w *worker) publishNext(due int64) bool {
	for range w.rooms {
		i := w.busy.next(len(w.rooms))
		if c := w.publisher(&w.rooms[i]); c != nil {
			w.publish(c, due)
			return true
		}
	}
	return false
}

// busy is whose turn it is: rooms', or clients' that are alone.
type busy struct{ turn int }

func (b *busy) next(n int) int {
	b.turn++
	return b.turn % n
}

// fill publishes until the window is full, or nobody can. The worker is locked.
func (w *worker) fill() {
	if !w.pubs.running || w.pubs.window == 0 || w.scenario.alone { // who is alone goes on by itself
		return
	}
	for w.pubs.open < w.pubs.window {
		if !w.publishNext(w.clock.now()) {
			return
		}
	}
}

// publish has a client publish in its room. The worker is locked.
func (w *worker) publish(c *client, due int64) {
	r := &w.rooms[c.room]
	h := header{at: due, number: w.pubs.begin(outstanding{at: due, left: r.awaited, room: c.room, by: c.number})}
	r.published++
	w.counts.Published++
	if w.options.Replies {
		w.pubs.ask(h, c)
	}
	if p := (posted{h.number, c.room}); !w.speak.publish(c, h) {
		w.unsent(c, p)
	}
}

// ask has a client that is alone send one more. The worker is locked.
func (w *worker) ask(c *client, due int64) {
	h := header{at: due, number: w.pubs.number()}
	w.counts.Published++
	w.pubs.ask(h, c)
	if !w.speak.publish(c, h) {
		w.unsent(c, posted{h.number, c.room})
	}
}

// askAgain has a client that is alone go on, if there is a window. The worker is locked.
func (w *worker) askAgain(c *client) {
	if w.scenario.alone && w.pubs.running && w.pubs.window > 0 && c.joined {
		w.ask(c, w.clock.now())
	}
}

// answered notes an answer to a publish, and has a client that is alone go on. It reports whether one was to come. The
// worker is locked.
func (w *worker) answered(c *client, number int64) bool {
	q, ok := w.pubs.answered(number, c)
	if !ok {
		w.counts.Duplicated++
		return false
	}
	w.counts.Replies++
	w.times.record(kindFor(c, timeReply), q.at, w.now)
	if !w.scenario.alone {
		w.rooms[q.room].replied++
		return true
	}
	w.counts.Delivered++
	if !q.expired { // otherwise it has gone on already
		w.askAgain(c)
	}
	return true
}

// kindFor returns as what something is timed for a client: what those get that stop reading says nothing of the rest.
func kindFor(c *client, kind int) int {
	if c.slow {
		return timeStalled
	}
	return kind
}

// refuse notes that a publish of a client was refused, with what the server says of when to try again, in seconds. Its
// number is unknown where it is negative. The worker is locked.
func (w *worker) refuse(c *client, number int64, code string, retry float64) {
	q, ok := w.pubs.answered(number, c)
	if number >= 0 && !ok {
		w.counts.Duplicated++
		return
	}
	w.counts.failed("publish: " + code)
	w.counts.Refused++
	room := c.room
	if ok {
		room = q.room
	}
	w.rooms[room].refused++
	if ok {
		w.pubs.giveUp(number)
	} else {
		w.pubs.giveUpOne(c.number)
	}
	if !q.expired {
		w.hold(c, retry)
	}
}

// posted is a publication on its way.
type posted struct {
	number int64
	room   int32
}

// unsent takes back a publication that this program could not send. The worker is locked.
func (w *worker) unsent(c *client, p posted) {
	w.counts.Published--
	w.counts.Unsent++
	if !w.scenario.alone {
		w.rooms[p.room].published--
	}
	w.pubs.giveUp(p.number)
	w.pubs.answered(p.number, c)
	w.hold(c, 0)
}

// Who could not publish tries again after as many seconds as the server says, within these.
const (
	defaultRetry = 1
	mostRetry    = 60
)

// hold keeps a client from publishing for so many seconds, where there is a window that would be filled up again at
// once; what is due at some time is published then, whatever came of what was before. The worker is locked.
func (w *worker) hold(c *client, seconds float64) {
	if w.pubs.window == 0 {
		return
	}
	if !(seconds > 0) { // also what is no number
		seconds = defaultRetry
	}
	after := int64(min(seconds, mostRetry) * 1e9)
	switch {
	case w.scenario.alone: // each request goes on by itself
		w.pacer.add(after, c, again)
	case !c.held:
		c.held = true
		w.pacer.add(after, c, again)
	}
}

// deliver notes a message that a client got. h says which, if ok. The worker is locked.
func (w *worker) deliver(c *client, offset uint64, h header, ok bool) {
	v := c.order.take(offset)
	if !v.fresh {
		w.counts.Duplicated++
		return
	}
	w.counts.Delivered++
	w.counts.Skipped += int64(v.skipped)
	if v.reordered {
		w.counts.Reordered++
	}
	r := &w.rooms[c.room]
	r.head = max(r.head, offset)
	if !ok {
		w.counts.Foreign++
		return
	}
	w.times.record(kindFor(c, timeDelivery), h.at, w.now)
	w.pubs.arrived(h.number, offset, c.awaited)
}

// missed notes that a client was told, or found out, that it cannot have the messages up to an offset. The worker is
// locked.
func (w *worker) missed(c *client, offset uint64) {
	w.counts.Unproven++
	if offset > c.order.newest {
		w.counts.Skipped += int64(offset - c.order.newest)
	}
	c.order.begin(offset)
}
