package bench

import "math"

// pubs are the publications of a worker.
type pubs struct {
	window  int           // how many may be outstanding; 0: they follow a rate
	workers int64         // numbers of all workers are different
	worker  int64         //
	next    int64         // how many there were
	open    int           // outstanding
	expired int64         // given up since expire was called
	ring    []outstanding // those of a window, by number
	asked   map[int64]request
	swept   int64 // when asked was looked through
	running bool
}

// outstanding is a publication that is not everywhere yet.
type outstanding struct {
	number int64
	at     int64
	offset uint64 // in its room; 0: nobody has it
	left   int32  // members of this worker that it waits for; 0: it is done; negative: it counts as refused, as many would be left
	room   int32
	by     int32 // number of the client that publishes it
}

// request is a publish that an answer is to come to.
type request struct {
	at      int64
	client  *client
	link    *link // that it was sent over
	room    int32
	expired bool // it took too long, and the client went on
}

// never is from which publication on somebody is waited for who is not.
const never = math.MaxInt64

func (p *pubs) init(s *Share) {
	p.window, p.workers, p.worker = s.window(), int64(s.Workers), int64(s.Number)
	size := 64
	for size < 4*p.window {
		size *= 2
	}
	p.ring = make([]outstanding, size)
	p.asked = make(map[int64]request)
}

// at returns where a publication is kept.
func (p *pubs) at(number int64) *outstanding {
	return &p.ring[number/p.workers&int64(len(p.ring)-1)]
}

// number numbers a publication.
func (p *pubs) number() int64 {
	number := p.next*p.workers + p.worker
	p.next++
	return number
}

// begin numbers a publication; in a window it is outstanding until those that it waits for have it.
func (p *pubs) begin(o outstanding) int64 {
	o.number = p.number()
	if p.window == 0 || o.left <= 0 {
		return o.number
	}
	for p.at(o.number).left > 0 && len(p.ring) < mostKept {
		p.grow()
	}
	kept := p.at(o.number)
	if kept.left > 0 {
		p.open--
		p.expired++
	}
	*kept = o
	p.open++
	return o.number
}

// mostKept is how many publications behind one that is outstanding it is given up in any case.
const mostKept = 1 << 20

// grow makes the ring twice as long: what is kept in different places of it stays so.
func (p *pubs) grow() {
	old := p.ring
	p.ring = make([]outstanding, 2*len(old))
	for _, o := range old {
		if o.left != 0 {
			*p.at(o.number) = o
		}
	}
}

// ask notes that an answer to a publish is to come.
func (p *pubs) ask(h header, c *client) {
	p.asked[h.number] = request{at: h.at, client: c, link: c.link, room: c.room}
}

// answered returns the request of a client that an answer came to; ok is false where none was to come.
func (p *pubs) answered(number int64, c *client) (q request, ok bool) {
	if q, ok = p.asked[number]; !ok || q.client != c {
		return request{}, false
	}
	delete(p.asked, number)
	return q, true
}

// unanswered returns how many answers did not come over connections that are still there.
func (p *pubs) unanswered() (n int64) {
	for _, q := range p.asked {
		if q.link != nil && q.client.link == q.link && !q.link.closing {
			n++
		}
	}
	return n
}

// arrived notes that one more member has a publication; since is the first one that waits for it.
func (p *pubs) arrived(number int64, offset uint64, since int64) {
	if p.window == 0 || number%p.workers != p.worker {
		return
	}
	o := p.at(number)
	if o.number != number {
		return
	}
	o.offset = offset
	if o.left < 0 { // another one of that client's was refused
		o.left = -o.left
		p.open++
		p.giveUpOne(o.by)
	}
	if o.left > 0 && number/p.workers >= since {
		p.less(o)
	}
}

// less has a publication wait for one member less.
func (p *pubs) less(o *outstanding) {
	if o.left--; o.left == 0 {
		p.open--
	}
}

// left notes that a member is gone from a room, with what it had there; publications from since on waited for it.
func (p *pubs) left(room int32, since int64, had func(offset uint64) bool) {
	if p.window == 0 || p.open == 0 || since == never {
		return
	}
	for i := range p.ring {
		o := &p.ring[i]
		if o.left > 0 && o.room == room && o.number/p.workers >= since && (o.offset == 0 || !had(o.offset)) {
			p.less(o)
		}
	}
}

// giveUp has a publication be outstanding no more.
func (p *pubs) giveUp(number int64) {
	if p.window == 0 {
		return
	}
	if o := p.at(number); o.number == number && o.left > 0 {
		o.left = 0
		p.open--
	}
}

// giveUpOne notes that one of a client's publications was refused, and the server does not say which: the oldest that
// nobody has, until somebody has it after all.
func (p *pubs) giveUpOne(by int32) {
	if p.window == 0 {
		return
	}
	var oldest *outstanding
	for i := range p.ring {
		o := &p.ring[i]
		if o.by == by && o.left > 0 && o.offset == 0 && (oldest == nil || o.number < oldest.number) {
			oldest = o
		}
	}
	if oldest != nil {
		oldest.left = -oldest.left
		p.open--
	}
}

// expire gives up on those that are outstanding for too long, and returns how many they are.
func (p *pubs) expire(now int64) (n int64) {
	n, p.expired = p.expired, 0
	if p.window == 0 || p.open == 0 {
		return n
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

// sweepAfter is how often the requests are looked through, in nanoseconds.
const sweepAfter = 1_000_000_000

// sweep forgets the requests over connections that are gone, and calls late for each that takes too long.
func (p *pubs) sweep(now int64, late func(q *request)) {
	if now-p.swept < sweepAfter {
		return
	}
	p.swept = now
	for number, q := range p.asked {
		switch {
		case q.client.link != q.link:
			delete(p.asked, number)
		case !q.expired && now-q.at > expireAfter:
			q.expired = true
			p.asked[number] = q
			late(&q)
		}
	}
}
