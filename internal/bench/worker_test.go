package bench

import (
	"bufio"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// recorded is a dialect that says nothing to anybody and keeps what was to be published.
type recorded struct {
	dialect
	published []header
	by        []*client
	deaf      bool // it takes nothing
}

func (r *recorded) publish(c *client, h header) bool {
	if !r.deaf {
		r.published, r.by = append(r.published, h), append(r.by, c)
	}
	return !r.deaf
}

func (r *recorded) leave(*client) {}

// still returns a worker in which nothing happens by itself; its clients are in their rooms.
func still(t *testing.T, o Options) (*worker, *recorded) {
	t.Helper()
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	w := makeWorker(Share{Options: o, Epoch: time.Now().UnixNano(), Workers: 1, Count: o.Connections})
	said := &recorded{}
	w.speak = said
	for i := range w.clients {
		c := &w.clients[i]
		c.link = &link{client: c}
		w.placed(c, 0, true)
	}
	w.wake(0)
	return w, said
}

// publishing has it publish.
func publishing(w *worker) { w.pacer.begin(w.clock.now(), int64(time.Hour)) }

// everybody gets a publication.
func everybody(w *worker, h header, offset uint64, but ...*client) {
	for i := range w.clients {
		c := &w.clients[i]
		skipped := false
		for _, b := range but {
			skipped = skipped || b == c
		}
		if c.joined && !skipped {
			w.deliver(c, offset, h, true)
		}
	}
}

// TestTimesAreOfWhatWasDueWhileItWasMeasured delivers after the end what was due before it, and the other way round.
func TestTimesAreOfWhatWasDueWhileItWasMeasured(t *testing.T) {
	w, _ := still(t, Options{Scenario: scenarioFanOut, Connections: 1, Rate: 1})
	c := &w.clients[0]
	before := w.clock.now()
	w.obey(command{Order: orderMeasure})
	w.wake(0)
	w.deliver(c, 1, header{at: before}, true) // due before, delivered while it is measured
	during := w.clock.now()
	if a := w.obey(command{Order: orderCount}); count(t, a.Times) != 0 || count(t, a.Beside) != 1 {
		t.Errorf("%d measured, %d beside, of one that was due before", count(t, a.Times), count(t, a.Beside))
	}
	w.obey(command{Order: orderEnough})
	w.obey(command{Order: orderStop})
	w.wake(0)
	w.deliver(c, 2, header{at: during}, true) // the slowest of what is measured
	w.deliver(c, 3, header{at: w.clock.now()}, true)
	if a := w.obey(command{Order: orderEnd}); count(t, a.Times) != 1 || count(t, a.Beside) != 1 {
		t.Errorf("%d measured, %d beside, of one that was due while it was measured and one after that", count(t, a.Times), count(t, a.Beside))
	}
}

func count(t *testing.T, encoded [][]byte) int64 {
	t.Helper()
	var all times
	if err := all.add(encoded); err != nil {
		t.Fatal(err)
	}
	if all[timeDelivery] == nil {
		return 0
	}
	return all[timeDelivery].TotalCount()
}

// TestASecondAnswerIsADuplicate answers twice: that asks for no more, and is not delivered.
func TestASecondAnswerIsADuplicate(t *testing.T) {
	w, said := still(t, Options{Scenario: scenarioEcho, Connections: 2, Window: 1})
	publishing(w)
	if len(said.published) != 2 {
		t.Fatalf("%d asked for", len(said.published))
	}
	first := said.published[0]
	w.answered(said.by[0], first.number)
	for range 3 {
		w.answered(said.by[0], first.number)
	}
	w.answered(said.by[0], said.published[1].number) // it is the other one's
	if c := &w.counts; c.Delivered != 1 || c.Duplicated != 4 || len(said.published) != 3 {
		t.Errorf("%d delivered, %d twice, %d asked for", c.Delivered, c.Duplicated, len(said.published))
	}
}

// TestEchoesOutOfOrderAreCounted gives the answers 1, 4, 2, 3: two are behind a later one.
func TestEchoesOutOfOrderAreCounted(t *testing.T) {
	w, _ := still(t, Options{Scenario: scenarioEcho, Speak: speakEcho, Connections: 1, Window: 4})
	e := newEcho(w)
	c := &w.clients[0]
	l := c.link
	for number := range int64(4) {
		w.pubs.ask(header{number: number}, c)
	}
	for _, number := range []int64{0, 3, 1, 2, 1} {
		e.receiveMessage(l, append(header{number: number}.append(nil), e.pad...))
	}
	if c := &w.counts; c.Reordered != 2 || c.Duplicated != 1 || c.Delivered != 4 {
		t.Errorf("%+v", *c)
	}
}

// TestWhatCannotBeSentIsTakenBack has connections that take nothing: nothing was published, nothing is outstanding, and
// clients try again later.
func TestWhatCannotBeSentIsTakenBack(t *testing.T) {
	for _, speak := range []string{speakNative, speakSIO, speakSSE} {
		w, _ := still(t, Options{Scenario: scenarioFanOut, Speak: speak, Connections: 3, Window: 2, Replies: true})
		w.speak = newDialect(w)
		if s, ok := w.speak.(*sse); ok {
			s.cancel()
			s.group.Wait()
			s.queue = nil // nobody takes anything
		}
		publishing(w)
		w.out.flush(w)
		c := &w.counts
		if c.Published != 0 || c.Unsent == 0 || w.pubs.open != 0 || w.rooms[0].published != 0 || len(w.pubs.asked) != 0 {
			t.Errorf("%s: %d published, %d unsent, %d outstanding, %d in the room, %d asked", speak, c.Published, c.Unsent, w.pubs.open,
				w.rooms[0].published, len(w.pubs.asked))
		}
		if len(w.pacer.jobs) == 0 {
			t.Errorf("%s: nobody tries again", speak)
		}
	}
}

// TestARefusedPublishMakesRoom refuses with and without saying what.
func TestARefusedPublishMakesRoom(t *testing.T) {
	for _, replies := range []bool{true, false} {
		w, said := still(t, Options{Scenario: scenarioFanOut, Connections: 4, Window: 2, Replies: replies})
		publishing(w)
		number := int64(-1)
		if replies {
			number = said.published[0].number
		}
		w.refuse(said.by[0], number, "rate_limited", 0.001)
		if w.pubs.open != 1 || w.counts.Refused != 1 || w.rooms[0].refused != 1 {
			t.Errorf("replies %v: %d outstanding, %d refused", replies, w.pubs.open, w.counts.Refused)
		}
		w.fill()
		if len(said.published) != 3 || said.by[2] == said.by[0] {
			t.Errorf("replies %v: %d published; who was refused is to wait", replies, len(said.published))
		}
		w.pacer.do(said.by[0], again)
		if said.by[0].held {
			t.Errorf("replies %v: it waits for ever", replies)
		}
	}
}

// TestARefusalThatDoesNotSayOfWhat refuses the second of two publications of one client, before the first arrives.
func TestARefusalThatDoesNotSayOfWhat(t *testing.T) {
	w, said := still(t, Options{Scenario: scenarioFanOut, Connections: 2, Window: 2, Publishers: 1})
	publishing(w)
	w.refuse(said.by[0], -1, "rate_limited", 60)
	if w.pubs.open != 1 {
		t.Fatalf("%d outstanding", w.pubs.open)
	}
	w.deliver(&w.clients[0], 1, said.published[0], true)
	if w.pubs.open != 1 {
		t.Errorf("%d outstanding, when one of two members has the first", w.pubs.open)
	}
	w.deliver(&w.clients[1], 1, said.published[0], true)
	if w.pubs.open != 0 {
		t.Errorf("%d outstanding at the end", w.pubs.open)
	}
}

// TestWhoIsAloneAsksAgainWhenRefused goes on after a refusal.
func TestWhoIsAloneAsksAgainWhenRefused(t *testing.T) {
	w, said := still(t, Options{Scenario: scenarioEcho, Connections: 1, Window: 1})
	publishing(w)
	w.refuse(said.by[0], said.published[0].number, "rate_limited", 0.001)
	w.refuse(said.by[0], said.published[0].number, "rate_limited", 0.001) // a server that says it twice
	if len(w.pacer.jobs) != 1 || w.counts.Refused != 1 || w.counts.Duplicated != 1 {
		t.Fatalf("%d jobs, %+v", len(w.pacer.jobs), w.counts)
	}
	w.pacer.do(w.pacer.jobs[0].client, w.pacer.jobs[0].job)
	if len(said.published) != 2 {
		t.Errorf("%d asked for", len(said.published))
	}
}

// TestAWindowDoesNotWaitForWhoIsGone has a member leave that has the first of two publications and not the second.
func TestAWindowDoesNotWaitForWhoIsGone(t *testing.T) {
	w, said := still(t, Options{Scenario: scenarioFanOut, Connections: 3, Window: 2})
	publishing(w)
	gone := &w.clients[1]
	w.deliver(gone, 1, said.published[0], true)
	everybody(w, said.published[1], 2, gone)
	if w.pubs.open != 2 {
		t.Fatalf("%d outstanding", w.pubs.open)
	}
	w.exit(gone)
	if w.pubs.open != 1 {
		t.Errorf("%d outstanding: the second waits for who is gone, or the first no more for who is not", w.pubs.open)
	}
	w.deliver(gone, 2, said.published[1], true) // what was under way
	everybody(w, said.published[0], 1)
	if w.pubs.open != 0 {
		t.Errorf("%d outstanding at the end", w.pubs.open)
	}
	w.fill()
	w.enter(gone, 2)
	w.deliver(gone, 3, said.published[2], true) // of a publication that does not wait for it
	w.deliver(&w.clients[0], 3, said.published[2], true)
	if w.pubs.open != 2 {
		t.Errorf("%d outstanding: a third member has stood in for the second", w.pubs.open)
	}
}

// TestAWindowDoesNotWaitForWhoStopsReading delivers to those that read.
func TestAWindowDoesNotWaitForWhoStopsReading(t *testing.T) {
	w, said := still(t, Options{Scenario: scenarioSlow, Connections: 4, Rooms: 1, Window: 1, Stalled: 0.5})
	publishing(w)
	for i := range w.clients {
		if c := &w.clients[i]; !c.slow {
			w.deliver(c, 1, said.published[0], true)
		}
	}
	if w.pubs.open != 0 {
		t.Errorf("%d outstanding when all who read have it", w.pubs.open)
	}
	w.fill()
	for i := range w.clients {
		if c := &w.clients[i]; c.slow {
			w.deliver(c, 1, said.published[0], true)
			w.deliver(c, 2, said.published[1], true)
		}
	}
	if w.pubs.open != 1 {
		t.Errorf("%d outstanding when only those have it that stop reading", w.pubs.open)
	}
	if c := w.times; c.beside[timeStalled].TotalCount() != 4 || c.beside[timeDelivery].TotalCount() != 2 {
		t.Errorf("%d timed as stalled, %d as delivered", c.beside[timeStalled].TotalCount(), c.beside[timeDelivery].TotalCount())
	}
}

// TestWhoLeavesDoesNotPublish, and what it published before counts for the room that it was in.
func TestWhoLeavesDoesNotPublish(t *testing.T) {
	w, said := still(t, Options{Scenario: scenarioChat, Connections: 2, Rooms: 2, Rate: 1, Replies: true})
	w.publish(&w.clients[0], w.clock.now())
	w.pacer.part(&w.clients[0])
	for range 4 {
		w.publishNext(w.clock.now())
	}
	for i, c := range said.by[1:] {
		if c.number == 0 {
			t.Errorf("publication %d is of a client that leaves", i)
		}
	}
	if len(said.by) != 5 {
		t.Errorf("%d published", len(said.by))
	}
	w.exit(&w.clients[0])
	w.clients[0].room = 1
	w.answered(&w.clients[0], said.published[0].number)
	if w.rooms[0].replied != 1 || w.rooms[1].replied != 0 {
		t.Errorf("answers: %d for the room that was published in, %d for the other", w.rooms[0].replied, w.rooms[1].replied)
	}
}

// TestWhatNobodyCanPublishIsUnsent has no client in any room when publications are due.
func TestWhatNobodyCanPublishIsUnsent(t *testing.T) {
	for _, scenario := range []string{scenarioRooms, scenarioEcho} {
		w, said := still(t, Options{Scenario: scenario, Connections: 2, Rate: 1000})
		for i := range w.clients {
			w.exit(&w.clients[i])
		}
		w.pacer.every, w.pacer.next = 1, 0
		w.pacer.publishDue(10)
		if w.counts.Unsent != 11 || w.counts.Published != 0 || len(said.published) != 0 {
			t.Errorf("%s: %d unsent, %d published", scenario, w.counts.Unsent, w.counts.Published)
		}
	}
}

// TestARateBeyondWhatCanBeMadeLeavesTimeForOrders has more due than will ever be made.
func TestARateBeyondWhatCanBeMadeLeavesTimeForOrders(t *testing.T) {
	w, said := still(t, Options{Scenario: scenarioFanOut, Connections: 1, Rate: 1e15})
	w.pacer.every = 1e-6
	w.pacer.publishDue(1e6)
	if len(said.published) != mostAtOnce {
		t.Errorf("%d at once", len(said.published))
	}
}

// TestAnswersThatNeverComeAreFaults ends with a publish that was not answered, over a connection that is there, and one
// over a connection that is not.
func TestAnswersThatNeverComeAreFaults(t *testing.T) {
	w, _ := still(t, Options{Scenario: scenarioFanOut, Connections: 3, Rate: 1, Replies: true})
	for i := range w.clients {
		w.publish(&w.clients[i], w.clock.now())
	}
	w.answered(&w.clients[0], 0)
	w.clients[1].link.closing = true
	w.closed(w.clients[1].link, io.EOF)
	var r Report
	endings := []*Ending{w.ending()}
	r.count(&w.counts, missing(endings), unanswered(endings), w.options)
	if r.Totals.Unanswered != 1 || r.Totals.Faults()-r.Totals.Missing != 1 {
		t.Errorf("%+v", r.Totals)
	}
	w.pubs.sweep(w.clock.now()+2*sweepAfter, func(*request) { t.Error("it is not late yet") })
	if len(w.pubs.asked) != 1 {
		t.Errorf("%d answers are to come over one connection", len(w.pubs.asked))
	}
}

// TestWhoIsNotAnsweredGoesOn has a client that is alone ask again after a time, and the answer count when it comes.
func TestWhoIsNotAnsweredGoesOn(t *testing.T) {
	w, said := still(t, Options{Scenario: scenarioEcho, Connections: 1, Window: 1})
	publishing(w)
	old := w.pubs.asked[said.published[0].number]
	old.at -= 2 * expireAfter
	w.pubs.asked[said.published[0].number] = old
	for range 2 {
		w.pubs.swept = -2 * sweepAfter
		w.pacer.turn()
	}
	if len(said.published) != 2 || w.counts.Expired != 1 {
		t.Fatalf("%d asked for, %d expired", len(said.published), w.counts.Expired)
	}
	w.answered(said.by[0], said.published[0].number)
	if w.counts.Delivered != 1 || len(said.published) != 2 {
		t.Errorf("%d delivered, %d asked for", w.counts.Delivered, len(said.published))
	}
}

// TestStaysBeginWithPublishing: nobody parts before all are there.
func TestStaysBeginWithPublishing(t *testing.T) {
	for _, scenario := range []string{scenarioChurn, scenarioChat} {
		w, _ := still(t, Options{Scenario: scenario, Connections: 3})
		if n := len(w.pacer.jobs); n != 0 {
			t.Errorf("%s: %d plan to part before anything", scenario, n)
		}
		publishing(w)
		if n := len(w.pacer.jobs); n != 3 {
			t.Errorf("%s: %d plan to part", scenario, n)
		}
		w.pacer.stop()
		w.exit(&w.clients[0])
		w.placed(&w.clients[0], 0, true)
		if n := len(w.pacer.jobs); n != 0 {
			t.Errorf("%s: %d plan to part at the end", scenario, n)
		}
	}
}

func TestErrorsAreBounded(t *testing.T) {
	var c Counts
	for i := range 3 * maxErrors {
		c.failed(strings.Repeat("x", i+1))
	}
	c.failed("\x1b[2J")
	total := int64(0)
	for what, n := range c.Errors {
		total += n
		if len(what) > maxError+2 || strings.ContainsRune(what, '\x1b') {
			t.Errorf("%q", what)
		}
	}
	if len(c.Errors) > maxErrors+1 || total != 3*maxErrors+1 || c.Errors[otherErrors] == 0 {
		t.Errorf("%d kinds, %d errors, %d of other kinds", len(c.Errors), total, c.Errors[otherErrors])
	}
	for text, want := range map[string]string{
		`answered with "text/html"`: `answered with "text/html"`,
		"closed\x1b[31m \"x\"":      `"closed\x1b[31m \"x\""`,
		"\xff\n":                    `"\xff\n"`,
	} {
		if got := plain(text); got != want {
			t.Errorf("%q is written as %s", text, got)
		}
	}
}

// TestAnEndlessLineIsGivenUp streams a line that does not end.
func TestAnEndlessLineIsGivenUp(t *testing.T) {
	w, _ := still(t, Options{Scenario: scenarioFanOut, Speak: speakSSE, Connections: 1, Rate: 1})
	s := &sse{worker: w}
	l := w.clients[0].link
	piece := make([]byte, 1<<20)
	for range 40 {
		s.receive(l, piece)
	}
	if len(l.rest) > maxLine || l.bye == "" {
		t.Errorf("%d bytes are kept, %q", len(l.rest), l.bye)
	}
	var c chunk
	c.next([]byte(strings.Repeat("f", 100)))
	if c.size <= 0 || c.size > math.MaxInt64/2 {
		t.Errorf("a chunk of %d", c.size)
	}
}

// TestAnEndlessAnswerIsGivenUp sends headers, and an answer to a publish, without an end.
func TestAnEndlessAnswerIsGivenUp(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	sent := make(chan int)
	go func() {
		r := bufio.NewReader(theirs)
		_, _ = http.ReadRequest(r)
		n, _ := theirs.Write([]byte("HTTP/1.1 101 Switching Protocols\r\n"))
		for line := []byte("X: " + strings.Repeat("y", 1000) + "\r\n"); ; {
			more, err := theirs.Write(line)
			if n += more; err != nil {
				sent <- n
				return
			}
		}
	}()
	w, _ := still(t, Options{Scenario: scenarioFanOut, Connections: 1, Rate: 1})
	w.speak = newNative(w)
	d, err := newDialer(w)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if _, err := d.shake(ours, &link{client: &w.clients[0]}, &url.URL{Scheme: "ws", Host: "x", Path: "/"}); err == nil {
		t.Error("it was taken")
	}
	ours.Close()
	if n := <-sent; n > 2*maxHead {
		t.Errorf("%d bytes of headers were read", n)
	}

	long := `{"type":"ok","more":"` + strings.Repeat("x", 2*maxAnswer) + `"}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, long) }))
	defer server.Close()
	s := newSSE(w)
	defer func() { _ = s.close(t.Context()) }()
	if e := s.send(posting{url: server.URL}); e.Type == okType || e.Code == "" {
		t.Errorf("%+v", e)
	}
}
