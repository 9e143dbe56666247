package bench

// pubs are the publications of a worker.
type pubs struct {
	window  int           // how many may be outstanding; 0: they follow a rate
	workers int64         // numbers of all workers are different
	worker  int64         //
	next    int64         // how many there were
	open    int           // outstanding
	ring    []outstanding // those of a window, by number
	running bool
}

// outstanding is a publication that is not everywhere yet.
type outstanding struct {
	number int64
	at     int64
	left   int // members of this worker that do not have it yet; 0: it is done
}

func (p *pubs) init(s *Share) {
	p.window, p.workers, p.worker = s.window(), int64(s.Workers), int64(s.Number)
	size := 64
	for size < 4*p.window {
		size *= 2
	}
	p.ring = make([]outstanding, size)
}

// at returns where a publication is kept.
func (p *pubs) at(number int64) *outstanding {
	return &p.ring[number/p.workers&int64(len(p.ring)-1)]
}

// begin numbers a publication that goes to so many members.
func (p *pubs) begin(now int64, members int) int64 {
	number := p.next*p.workers + p.worker
	p.next++
	if p.window == 0 {
		return number
	}
	o := p.at(number)
	if o.left > 0 {
		p.open--
	}
	*o = outstanding{number: number, at: now, left: members}
	p.open++
	return number
}

// arrived notes that one more member has a publication.
func (p *pubs) arrived(number int64) {
	if p.window == 0 || number%p.workers != p.worker {
		return
	}
	o := p.at(number)
	if o.number != number || o.left == 0 {
		return
	}
	if o.left--; o.left == 0 {
		p.open--
	}
}

// expire gives up on those that are outstanding for too long, and returns how many they are.
func (p *pubs) expire(now int64) (n int64) {
	if p.window == 0 || p.open == 0 {
		return 0
	}
	for i := range p.ring {
		if o := &p.ring[i]; o.left > 0 && now-o.at > expireAfter {
			o.left = 0
			p.open--
			n++
		}
	}
	return n
}

// fill publishes until the window is full. The worker is locked.
func (w *worker) fill() {
	if !w.pubs.running || w.pubs.window == 0 {
		return
	}
	if w.scenario.alone {
		return // each client goes on by itself
	}
	for w.pubs.open < w.pubs.window {
		if !w.publishNext(w.clock.now()) {
			return
		}
	}
}

// publishNext publishes in the room whose turn it is, and reports whether there was one. The worker is locked.
func (w *worker) publishNext(due int64) bool {
	for range w.rooms {
		i := w.busy.next(len(w.rooms))
		r := &w.rooms[i]
		if c := w.publisher(r); c != nil && c.link != nil {
			w.publish(c, r, due)
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

// publish publishes in c's room. The worker is locked.
func (w *worker) publish(c *client, r *room, due int64) {
	h := header{at: due, number: w.pubs.begin(due, len(r.members))}
	r.published++
	w.counts.Published++
	w.speak.publish(c, h)
}

// ask has a client that is alone send one more. The worker is locked.
func (w *worker) ask(c *client, due int64) {
	c.waiting++
	number := w.pubs.next*w.pubs.workers + w.pubs.worker
	w.pubs.next++
	w.counts.Published++
	w.speak.publish(c, header{at: due, number: number})
}

// answered notes an answer to a client that is alone, and has it go on if there is a window. The worker is locked.
func (w *worker) answered(c *client, at int64) {
	w.times.record(timeReply, w.now-at)
	w.counts.Replies++
	if !w.scenario.alone {
		w.rooms[c.room].replied++
		return
	}
	c.waiting--
	w.counts.Delivered++
	if w.pubs.running && w.pubs.window > 0 && c.link != nil {
		w.ask(c, w.now)
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
	kind := timeDelivery
	if c.slow {
		kind = timeStalled
	}
	w.times.record(kind, w.now-h.at)
	w.pubs.arrived(h.number)
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

// outbox gathers what one client sends, so that it goes out in one piece. The worker's lock guards it.
type outbox struct {
	to    *link
	bytes []byte
}

// maxOutbox is from how many bytes on what is gathered goes out.
const maxOutbox = 16 << 10

// maxKept is how many bytes wait for a server that reads slowly: the largest messages, in a usual window.
const maxKept = 4 << 20

// for returns the bytes to which what l sends is appended; set takes them back.
func (o *outbox) begin(w *worker, l *link) []byte {
	if o.to != l || len(o.bytes) >= maxOutbox {
		o.flush(w)
	}
	o.to = l
	return o.bytes
}

// flush sends what is gathered.
func (o *outbox) flush(w *worker) {
	if len(o.bytes) > 0 && !o.to.socket.Send(o.bytes) && !o.to.closing {
		w.counts.failed("send: the server does not read")
	}
	o.to, o.bytes = nil, o.bytes[:0]
}
