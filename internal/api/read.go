package api

import (
	"strings"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/protocol"
)

// Bounds of a page.
const (
	standardPage = 100
	maxPage      = 1000
)

// history answers with a part of a room's log: the newest messages, those before a position, or those after one.
func (a *API) history(c *call) ([]byte, *protocol.Error) {
	if err := c.parameters("room", "limit", "since", "before"); err != nil {
		return nil, err
	}
	query := c.r.URL.Query()
	room, since, before := query.Get("room"), query.Get("since"), query.Get("before")
	if err := c.room(room); err != nil {
		return nil, err
	}
	limit, failure := c.limit(standardPage, protocol.MaxHistory)
	if failure != nil {
		return nil, failure
	}
	q := engine.Query{Limit: limit, MaxBytes: protocol.MaxHistoryBytes * 3 / 4}
	var err error
	switch {
	case since != "" && before != "":
		return nil, fail(protocol.CodeBadRequest, "before", "either since or before")
	case since != "":
		q.Since, err = protocol.ParsePosition(since)
	case before != "":
		q.Before, err = protocol.ParsePosition(before)
	default:
		q.Last = limit
	}
	if err != nil {
		return nil, fail(protocol.CodeBadRequest, "since", "not a position")
	}
	page, err := a.Node.Hub.History(c.ctx, room, q)
	if err != nil {
		return nil, a.Node.ClientError(err)
	}
	return historyOf(room, since != "", page), nil
}

// historyOf returns a page of a log, with where to go on: forwards after a position, otherwise backwards.
func historyOf(room string, forwards bool, page engine.Page) []byte {
	h := &protocol.History{Room: room, Messages: page.Messages, Position: page.Head, More: page.More, Refused: page.Refused}
	n := len(page.Messages)
	if n == 0 || !page.More || page.Refused != "" {
		return object(h)
	}
	next := page.Messages[0].Position
	if forwards {
		next = page.Messages[n-1].Position
		h.Position = next
	}
	return object(h, protocol.AppendString([]byte(`,"next":`), next.String())...)
}

// presence answers with who is in a room.
func (a *API) presence(c *call) ([]byte, *protocol.Error) {
	if err := c.parameters("room", "limit", "cursor"); err != nil {
		return nil, err
	}
	room := c.r.URL.Query().Get("room")
	if err := c.room(room); err != nil {
		return nil, err
	}
	limit, failure := c.limit(standardPage, maxPage)
	if failure != nil {
		return nil, failure
	}
	members, err := a.Node.Hub.Members(room, c.r.URL.Query().Get("cursor"), limit)
	if err != nil {
		return nil, a.Node.ClientError(err)
	}
	if members.Members == nil {
		members.Members = []protocol.Member{}
	}
	return encode(struct {
		Room    string            `json:"room"`
		Count   int               `json:"count"`
		Members []protocol.Member `json:"members"`
		Next    string            `json:"next,omitempty"`
	}{room, members.Count, members.Members, members.Next})
}

// rooms answers with the rooms that this node has open.
func (a *API) rooms(c *call) ([]byte, *protocol.Error) {
	if err := c.parameters("prefix", "limit", "cursor"); err != nil {
		return nil, err
	}
	limit, failure := c.limit(standardPage, maxPage)
	if failure != nil {
		return nil, failure
	}
	query := c.r.URL.Query()
	page := struct {
		Node  string          `json:"node"`
		Rooms []hub.RoomState `json:"rooms"`
		Next  string          `json:"next,omitempty"`
	}{Node: a.Node.Name, Rooms: []hub.RoomState{}}
	prefix, after := query.Get("prefix"), query.Get("cursor")
	states, more := a.Node.Hub.Rooms(limit, func(room string) bool {
		return room > after && strings.HasPrefix(room, prefix) && c.key.opens(room)
	})
	page.Rooms = append(page.Rooms, states...)
	if more {
		page.Next = states[len(states)-1].Room
	}
	return encode(page)
}
