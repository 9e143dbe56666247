package api

import (
	"slices"
	"strings"

	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/protocol"
)

// seen is a connection as a page has it.
type seen struct {
	Client    string       `json:"client"`
	User      string       `json:"user"`
	Name      string       `json:"name,omitempty"`
	Anonymous bool         `json:"anonymous"`
	Transport string       `json:"transport"`
	Network   string       `json:"network"` // an address of IPv4, a network of IPv6, or local
	Since     int64        `json:"since"`   // Unix milliseconds
	Rooms     []place      `json:"rooms"`
	Used      session.Used `json:"used"`
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
	query := c.r.URL.Query()
	found := a.look(wanted{query.Get("user"), query.Get("room"), query.Get("client"), query.Get("cursor")})
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

// wanted says which connections a request asks for; empty is any.
type wanted struct{ user, room, client, after string }

// names reports whether the connections of a client are among them.
func (w *wanted) names(c hub.Client) bool {
	return c.ID > w.after && (w.user == "" || c.User == w.user) && (w.client == "" || c.ID == w.client)
}

// look returns the connections that a request asks for.
func (a *API) look(w wanted) []seen {
	found := []seen{}
	for each := range a.Connections {
		if !w.names(each.Session.Client()) {
			continue
		}
		state, open := each.Session.State()
		if !open || w.room != "" && !in(state.Rooms, w.room) {
			continue
		}
		of := state.Client
		found = append(found, seen{
			Client: of.ID, User: of.User, Name: of.Name, Anonymous: state.Anonymous, Transport: each.Transport,
			Network: networkOf(each), Since: state.Since.UnixMilli(), Rooms: placesOf(state.Rooms), Used: state.Used,
		})
	}
	return found
}

func in(stays []hub.Stay, room string) bool {
	return slices.ContainsFunc(stays, func(s hub.Stay) bool { return s.Room == room })
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
