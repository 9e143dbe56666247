package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
)

// poller is what stands for a connection where there are long polls and POST: one poll after the other, from where the
// last one ended. A join ends the poll that waits, and begins one that asks for the room, too.
type poller struct {
	away
	number int      // of the last poll
	asking *request // the join that is under way
	cancel context.CancelFunc
	polls  *sync.WaitGroup
	over   atomic.Bool
	life   context.Context // of the whole client
	die    context.CancelFunc
}

func dialPoll(at address, m *mail) (session, error) {
	p := &poller{away: newAway(at, m), cancel: func() {}, polls: new(sync.WaitGroup)}
	p.life, p.die = context.WithCancel(context.Background())
	return p, nil
}

// polled is the answer to a poll.
type polled struct {
	Messages []json.RawMessage
	Cursor   string
}

// welcome polls once to be greeted.
func (p *poller) welcome() (arrival, error) {
	p.rooms = []string{"@"}
	answer, err := p.get(context.Background(), "0")
	p.rooms = nil
	if err != nil {
		return arrival{}, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return arrival{}, turned(answer)
	}
	var got polled
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || len(got.Messages) == 0 {
		return arrival{}, fmt.Errorf("%s: %w", answer.Status, err)
	}
	return arrive("", got.Messages[0])
}

func (p *poller) get(ctx context.Context, wait string) (*http.Response, error) {
	p.number++
	target := p.query("/poll") + "&wait=" + wait + "&n=" + strconv.Itoa(p.number)
	if vector := p.place(); vector != "" {
		target += "&cursor=" + url.QueryEscape(vector)
	}
	return p.away.get(ctx, target)
}

func (p *poller) ask(q *request) error {
	switch q.Type {
	case "join":
		p.stop()
		p.asksFor(q)
		p.begin(q)
		return nil
	case "leave":
		p.stop()
		p.forgets(q.Room)
		a, err := left(q)
		if err == nil {
			err = p.goOn()
		}
		p.mail.add(a)
		return err
	}
	return p.request(q)
}

// goOn polls without a room that was left; the last one is left by asking for another one.
func (p *poller) goOn() error {
	if len(p.rooms) > 0 {
		p.begin(nil)
		return nil
	}
	p.rooms = []string{"@"}
	answer, err := p.get(context.Background(), "0")
	p.rooms = nil
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// begin polls from now on; q is the join that is the reason.
func (p *poller) begin(q *request) {
	ctx, cancel := context.WithCancel(context.Background())
	p.asking, p.cancel, p.polls = q, cancel, new(sync.WaitGroup)
	p.polls.Go(func() {
		for {
			err := p.poll()
			if p.over.Load() {
				return
			}
			if err != nil {
				if !errors.Is(err, errRefused) {
					p.mail.finish(err)
				}
				return
			}
			p.last, p.asking = 0, nil
			if ctx.Err() != nil {
				return
			}
		}
	})
}

// stop waits for the end of the poll that is under way: of presence, what comes with one that is given up is lost.
func (p *poller) stop() {
	p.cancel()
	p.polls.Wait()
}

var errRefused = errors.New("there is no room to poll for")

// poll polls once.
func (p *poller) poll() error {
	wait := "0.3"
	if p.asking != nil && p.asking.Since != "" {
		wait = "0" // it goes on where it was: that is no news to wait for
	}
	answer, err := p.get(p.life, wait)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return p.turnedAway(answer)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	var got polled
	if err := json.Unmarshal(body, &got); err != nil {
		return fmt.Errorf("%w in %s", err, body)
	}
	p.move(got.Cursor)
	for _, text := range got.Messages {
		a, err := arrive("", text)
		if err != nil {
			return err
		}
		switch {
		case a.head.Type == "welcome":
			continue
		case a.head.Of == "join" && (p.asking == nil || p.asking.Room != a.head.Room):
			continue // it goes on where it was
		case a.head.Of == "join":
			a.id = p.asking.id
			p.asking = nil
			if a.head.Type == "error" {
				p.forgets(a.head.Room)
			}
		}
		p.mail.add(a)
		if a.head.Type == "draining" || a.head.Type == "error" && a.head.Of == "" {
			return &closing{reason: "an answer that ends it"}
		}
	}
	if len(p.rooms) == 0 {
		return errRefused
	}
	return nil
}

// turnedAway takes an answer to a poll that has no envelopes: a join is refused by it, or the client is sent away.
func (p *poller) turnedAway(answer *http.Response) error {
	if p.asking == nil {
		a, err := refused(&request{}, answer)
		p.mail.add(a)
		return errors.Join(err, &closing{reason: answer.Status})
	}
	a, err := refused(p.asking, answer)
	p.forgets(p.asking.Room)
	p.mail.add(a)
	return errors.Join(err, errRefused)
}

func (p *poller) say(text []byte, ids []string) error { return p.post(text, ids) }

func (p *poller) end(bool) {
	p.over.Store(true)
	p.die()
	p.stop()
}

func (p *poller) ended(want *ending) error { return p.mail.endedBy(want) }
