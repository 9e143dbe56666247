package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/protocol"
)

// library is what stands for a connection where there is the Go client: what is asked are calls, and what comes of
// them, as far as the client tells, is made an envelope again.
type library struct {
	client *client.Client
	mail   *mail
	ctx    context.Context
	cancel context.CancelFunc
	rooms  map[string]*client.Room
	read   sync.WaitGroup
	wire   atomic.Pointer[net.Conn]
}

func dialLibrary(at address, m *mail) (session, error) {
	ctx, cancel := context.WithCancel(context.Background())
	l := &library{mail: m, ctx: ctx, cancel: cancel, rooms: make(map[string]*client.Room)}
	var err error
	if l.client, err = client.Dial(ctx, at.url, client.Options{Token: at.token, NoInbox: true, Dial: l.dial}); err != nil {
		cancel()
		return nil, err
	}
	return l, nil
}

// dial opens the client's only connection: one that is cut stays so.
func (l *library) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if l.wire.Load() != nil {
		return nil, errors.New("the network is gone")
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if err == nil {
		l.wire.Store(&c)
	}
	return c, err
}

func (l *library) welcome() (arrival, error) {
	w := l.client.Welcome()
	return arrive("", protocol.AppendPush(nil, &w))
}

// call is a request as the client's methods take it.
type call struct {
	Room, Event, Key, Since, Before, Next string
	Last, Limit                           int
	Presence, Ephemeral                   bool
	Echo                                  *bool
	Data, State                           json.RawMessage
}

func (l *library) ask(q *request) error {
	var c call
	if err := json.Unmarshal(q.text, &c); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	result, err := l.perform(ctx, q, &c)
	text := append([]byte(`{"type":"ok","of":"`+q.Type+`"`), '}')
	if result != nil {
		text = append(result.AppendFields(text[:len(text)-1]), '}')
	}
	if err != nil {
		var failure *protocol.Error
		if !errors.As(err, &failure) {
			return err
		}
		text = append(failure.AppendFields([]byte(`{"type":"error","of":"`+q.Type+`"`)), '}')
	}
	a, err := arrive(q.id, text)
	if err != nil {
		return err
	}
	l.mail.add(a)
	if r := l.rooms[c.Room]; q.Type == "join" && r != nil { // what it delivers comes behind the reply
		l.read.Go(func() { l.receive(r) })
	}
	return nil
}

// bare is a result of which the client tells a place.
type bare struct {
	room     string
	position protocol.Position
	list     client.Event // of who is there, the first of the room; nil unless it was asked for
}

// AppendFields implements protocol.Result.
func (b *bare) AppendFields(text []byte) []byte {
	text = fmt.Appendf(text, `,"room":%q,"pos":%q`, b.room, b.position)
	if list, ok := b.list.(*protocol.Presence); ok {
		members, _ := json.Marshal(list.Members) // it came as JSON
		text = fmt.Appendf(text, `,"present":%d,"members":%s`, list.Count, members)
	}
	return text
}

// perform calls the method that a request stands for.
func (l *library) perform(ctx context.Context, q *request, c *call) (protocol.Result, error) {
	since, _ := protocol.ParsePosition(c.Since)
	before, _ := protocol.ParsePosition(c.Before)
	switch q.Type {
	case "join":
		o := client.JoinOptions{Since: since, Last: c.Last, Presence: c.Presence}
		if c.State != nil {
			o.State = c.State
		}
		r, err := l.client.Join(ctx, c.Room, o)
		if err != nil {
			return nil, err
		}
		l.rooms[c.Room] = r
		b := &bare{room: c.Room, position: r.Position()}
		if c.Presence {
			b.list, err = r.Next(ctx)
		}
		return b, err
	case "leave":
		return nil, l.rooms[c.Room].Leave(ctx)
	case "publish":
		var data any = c.Data
		if q.payload != nil {
			data = q.payload
		}
		o := client.PublishOptions{Event: c.Event, Key: c.Key, NoEcho: c.Echo != nil && !*c.Echo, Ephemeral: c.Ephemeral}
		p, err := l.client.Publish(ctx, c.Room, data, o)
		return &p, err
	case "history":
		h, err := l.client.History(ctx, c.Room, client.HistoryOptions{Since: since, Before: before, Limit: c.Limit})
		if err != nil {
			return nil, err
		}
		return h, nil
	case "state":
		return nil, l.rooms[c.Room].SetState(ctx, c.State)
	case "presence":
		r := l.rooms[c.Room]
		if r == nil {
			return nil, errors.New("the client lists who is in a room that it is in")
		}
		list, err := r.Presence(ctx, client.PresenceOptions{Limit: c.Limit, Next: c.Next})
		if err != nil {
			return nil, err
		}
		return list, nil
	}
	data, err := l.client.Request(ctx, q.Type, c.Data)
	return &protocol.Answer{Data: data}, err
}

// receive reads a room to its end.
func (l *library) receive(r *client.Room) {
	for {
		e, err := r.Next(l.ctx)
		if err != nil {
			return
		}
		a, err := arrive("", protocol.AppendPush(nil, e))
		if err != nil {
			l.mail.finish(err)
			return
		}
		l.mail.add(a)
	}
}

func (l *library) say([]byte, []string) error {
	return errors.New("the client sends nothing that it was not asked for")
}

func (l *library) end(clean bool) {
	if wire := l.wire.Load(); !clean && wire != nil {
		_ = (*wire).Close() // it is gone, with an error or without
	}
	_ = l.client.Close() // it returns nil
	l.cancel()
	l.read.Wait()
}

func (l *library) ended(*ending) error { return errors.New("the client comes back by itself") }

// told compares what a client's methods tell with an envelope: fields that it does not tell are left out. What it tells
// in another way follows: that messages are missed as a gap.
func (p *play) told(one *person, expected json.RawMessage, a arrival) error {
	want, err := decode(expected)
	if err != nil {
		return err
	}
	got, err := decode(a.text)
	if err != nil {
		return err
	}
	object, wanted := got.(map[string]any), want.(map[string]any)
	part := map[string]any{"...": true}
	for key, value := range wanted {
		if key == "pos" && wanted["recovered"] == false { // of the gap, which follows
			continue
		}
		if _, ok := object[key]; ok || key == "type" || key == "code" {
			part[key] = value
		}
	}
	if err := p.words.matchValue(part, got); err != nil {
		return fmt.Errorf("%s: %w\n got  %s\n want %s", one.name, err, a.text, expected)
	}
	if a.head.Of != "join" || a.head.Type != "ok" {
		return nil
	}
	if wanted["recovered"] != false {
		return nil
	}
	gap := map[string]any{"type": "gap", "reason": wanted["reason"], "...": true}
	if wanted["pos"] != nil {
		gap["pos"] = wanted["pos"]
	}
	next, err := one.mail.push()
	if err != nil {
		return err
	}
	if got, err = decode(next.text); err == nil {
		err = p.words.matchValue(gap, got)
	}
	if err != nil {
		return fmt.Errorf("%s: %w\n got  %s\n want %v", one.name, err, next.text, gap)
	}
	return nil
}

// isClient reports whether a carrier is a client, of which what travels is not seen.
func (c *carrier) isClient() bool {
	return players()[c.name] == "clients"
}
