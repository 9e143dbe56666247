package api

import (
	"slices"
	"strings"

	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/protocol"
)

// seen is a connection as a page has it.
type seen struct {
	Client    string          `json:"client"`
	User      string          `json:"user"`
	Name      string          `json:"name,omitempty"`
	Anonymous bool            `json:"anonymous"`
	Transport string          `json:"transport"`
	Network   string          `json:"network"` // an address of IPv4, a network of IPv6, or local
	Since     int64           `json:"since"`   // Unix milliseconds
	Rooms     []session.Place `json:"rooms"`
}

// connections answers with the connections of this node, in the order of their clients' names: all of them, a user's,
// those in a room.
func (a *API) connections(c *call) ([]byte, *protocol.Error) {
	if err := c.parameters("user", "room", "client", "limit", "cursor"); err != nil {
		return nil, err
	}
	limit, failure := c.limit(standardPage, maxPage)
	if failure != nil {
		return nil, failure
	}
	found := a.look(c)
	slices.SortFunc(found, func(x, y seen) int { return strings.Compare(x.Client, y.Client) })
	page := struct {
		Node        string `json:"node"`
		Connections []seen `json:"connections"`
		Next        string `json:"next,omitempty"`
	}{Node: a.Node.Name, Connections: found}
	// Two connections may be of one client: they stay on one page, or the cursor would pass one over.
	for limit < len(found) && found[limit].Client == found[limit-1].Client {
		limit++
	}
	if limit < len(found) {
		page.Connections, page.Next = found[:limit], found[limit-1].Client
	}
	return encode(page)
}

// look returns the connections that a request asks for, behind its cursor.
func (a *API) look(c *call) []seen {
	query := c.r.URL.Query()
	user, room, client, cursor := query.Get("user"), query.Get("room"), query.Get("client"), query.Get("cursor")
	found := []seen{}
	for each := range a.Connections {
		state, open := each.Session.State()
		of := state.Client
		if !open || of.ID <= cursor || user != "" && of.User != user || client != "" && of.ID != client || room != "" && !in(state.Rooms, room) {
			continue
		}
		found = append(found, seen{
			Client: of.ID, User: of.User, Name: of.Name, Anonymous: state.Anonymous, Transport: each.Transport,
			Network: networkOf(each), Since: state.Since.UnixMilli(), Rooms: state.Rooms,
		})
	}
	return found
}

func in(places []session.Place, room string) bool {
	return slices.ContainsFunc(places, func(p session.Place) bool { return p.Room == room })
}

// networkOf returns a network as people write it.
func networkOf(c Connection) string {
	switch {
	case !c.Network.IsValid():
		return "local"
	case c.Network.IsSingleIP():
		return c.Network.Addr().String()
	}
	return c.Network.String()
}
