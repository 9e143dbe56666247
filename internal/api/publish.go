package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// MaxRooms bounds the rooms of one publish.
const MaxRooms = 1000

// keyHeader is where a key against duplicates may stand, besides the body.
const keyHeader = "Idempotency-Key"

// keyOwner is what the owner of a key's messages begins with, before its name: no user's name has that byte.
const keyOwner = "\xffkey:"

// publishing is the body of a request to publish.
type publishing struct {
	Room      string          `json:"room"`
	Rooms     []string        `json:"rooms"`
	Data      json.RawMessage `json:"data"`
	Bytes     *[]byte         `json:"bytes"` // base64
	Event     string          `json:"event"`
	Key       string          `json:"key"`
	Ephemeral bool            `json:"ephemeral"`
	Exclude   string          `json:"exclude"`
	From      protocol.Sender `json:"from"`
}

// outcome is what became of a publish in one room.
type outcome struct {
	receipt engine.Receipt
	err     error
}

// publish publishes a message in one room, or the same one in many.
func (a *API) publish(c *call) ([]byte, *protocol.Error) {
	var p publishing
	if err := c.read(&p, a.maxMessage.Load()+bodyReserve); err != nil {
		return nil, err
	}
	if key := c.r.Header.Get(keyHeader); key != "" {
		if p.Key != "" && p.Key != key {
			return nil, fail(protocol.CodeBadRequest, "key", "the header "+keyHeader+" has another one")
		}
		p.Key = key
	}
	if err := p.check(int(a.maxMessage.Load())); err != nil {
		return nil, err
	}
	if err := a.Node.Admit(); err != nil {
		return nil, err
	}
	if p.Rooms == nil {
		return a.publishOne(c, &p)
	}
	return a.publishMany(c, &p)
}

// check checks what is checked of clients' messages, too.
func (p *publishing) check(maxMessage int) *protocol.Error {
	for _, text := range []struct{ field, value string }{{"event", p.Event}, {"key", p.Key}, {"exclude", p.Exclude}} {
		if len(text.value) > protocol.MaxEventLen {
			return fail(protocol.CodeBadRequest, text.field, fmt.Sprintf("longer than %d bytes", protocol.MaxEventLen))
		}
	}
	size := len(p.Data)
	if p.Bytes != nil {
		size = len(*p.Bytes)
	}
	switch {
	case (p.Room == "") == (p.Rooms == nil):
		return fail(protocol.CodeBadRequest, "room", "either room or rooms")
	case p.Rooms != nil && (len(p.Rooms) == 0 || len(p.Rooms) > MaxRooms):
		return fail(protocol.CodeBadRequest, "rooms", fmt.Sprintf("1 to %d rooms", MaxRooms))
	case (p.Data == nil) == (p.Bytes == nil):
		return fail(protocol.CodeBadRequest, "data", "either data or bytes")
	case size > maxMessage:
		return fail(protocol.CodeTooLarge, "data", fmt.Sprintf("more than %d bytes", maxMessage))
	case p.From.User != "" && !protocol.CheckRoom(protocol.Inbox(p.From.User)):
		return fail(protocol.CodeBadRequest, "from", "no user has such a name")
	case len(p.From.Client) > protocol.MaxEventLen || len(p.From.Name) > 2*protocol.MaxEventLen:
		return fail(protocol.CodeBadRequest, "from", "the client or the name is too long")
	}
	return p.checkData()
}

// checkData checks that clients will take the data: the protocol's parser is stricter than JSON's.
func (p *publishing) checkData() *protocol.Error {
	if p.Data == nil {
		return nil
	}
	var parser protocol.Parser
	var r protocol.Request
	envelope := append([]byte(`{"type":"publish","data":`), p.Data...)
	err := parser.Start(append(envelope, '}'))
	if err == nil {
		_, err = parser.Next(&r)
	}
	if err != nil {
		return fail(protocol.CodeBadRequest, "data", err.Message)
	}
	return nil
}

// publishOne publishes in one room.
func (a *API) publishOne(c *call, p *publishing) ([]byte, *protocol.Error) {
	if err := c.room(p.Room); err != nil {
		return nil, err
	}
	published, err := a.await(c.ctx, p.Room, a.begin(c, p, p.Room))
	if err != nil {
		return nil, err
	}
	return object(published), nil
}

// publishMany publishes in each of many rooms: what fails in one is said of that one.
func (a *API) publishMany(c *call, p *publishing) ([]byte, *protocol.Error) {
	for i, room := range p.Rooms {
		if err := c.room(room); err != nil {
			err.Field = fmt.Sprintf("rooms/%d", i)
			return nil, err
		}
	}
	rooms := slices.Clone(p.Rooms)
	slices.Sort(rooms)
	rooms = slices.Compact(rooms)
	waiting := make([]<-chan outcome, len(rooms))
	for i, room := range rooms {
		waiting[i] = a.begin(c, p, room)
	}
	b, failed := []byte(`{"results":[`), 0
	for i, room := range rooms {
		if i > 0 {
			b = append(b, ',')
		}
		published, err := a.await(c.ctx, room, waiting[i])
		if err != nil {
			failed++
			b = append(protocol.AppendString(append(b, `{"room":`...), room), `,"error":`...)
			b = append(append(b, object(err)...), '}')
			continue
		}
		b = append(b, object(published)...)
	}
	return fmt.Appendf(b, `],"failed":%d}`, failed), nil
}

// begin hands a message to the engine; its outcome comes later.
func (a *API) begin(c *call, p *publishing, room string) <-chan outcome {
	m := &protocol.Message{Room: room, From: p.From, Event: p.Event, Key: p.Key, Exclude: p.Exclude, Data: p.Data}
	if p.Bytes != nil {
		m.Bytes = append([]byte{}, *p.Bytes...)
	}
	done := make(chan outcome, 1)
	begun, size := a.Node.Begun(), len(m.Data)+len(m.Bytes)
	publication := &engine.Publication{Message: m, Ephemeral: p.Ephemeral, Owner: keyOwner + c.key.Name}
	a.Node.Hub.Publish(c.ctx, publication, func(r engine.Receipt, err error) {
		a.Node.Count(begun, size, r, err)
		done <- outcome{r, err}
	})
	a.Node.Hub.Flush()
	return done
}

// await waits for the outcome of a publish.
func (a *API) await(ctx context.Context, room string, done <-chan outcome) (*protocol.Published, *protocol.Error) {
	select {
	case got := <-done:
		if errors.Is(got.err, context.DeadlineExceeded) || errors.Is(got.err, context.Canceled) {
			return nil, errUnknown
		}
		return a.Node.Receipt(room, got.receipt, got.err)
	case <-ctx.Done():
		return nil, errUnknown
	}
}

// errUnknown is the error of a publish of which nobody knows whether it was stored.
var errUnknown = &protocol.Error{
	Code: protocol.CodeTimeout, Message: "the outcome is unknown; send again with the same key",
}
