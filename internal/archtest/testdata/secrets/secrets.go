package secrets

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"

	"example.com/tree/other"
)

type client struct {
	Token, tokenID, name string
	secret               []byte
	familyToken, Secret  string // constants are called so, too
}

func (c *client) bearer() string { return c.Token }

type server struct {
	byTicket map[string]*client
	tickets  []string
	apiKey   string
	header   http.Header
	all      map[string]*client
}

const (
	maxTickets  = 10
	familyToken = 3
)

func compares(s *server, c *client, given, theSID string, signature []byte) bool {
	switch {
	case c.Token == given: // want "c.Token is compared"
	case given != c.Token: // want "c.Token is compared"
	case (given) == string(c.secret): // want "c.secret is compared"
	case c.bearer() == given: // want "c.bearer is compared"
	case s.apiKey == given: // want "s.apiKey is compared"
	case s.header.Get("password") == given: // want "password is compared"
	case strings.TrimSpace(c.Token) == given: // want "c.Token is compared"
	case theSID == given: // want "theSID is compared"
	case *(&theSID) == given[1:]: // want "theSID is compared"
	case bytes.Equal([]byte(given), signature[:sha256.Size]): // want "signature is compared"
	case strings.EqualFold(given, c.Token): // want "c.Token is compared"
	case slices.Contains(s.tickets, c.Token): // want "c.Token is compared"
	case c.familyToken == given: // want "c.familyToken is compared"
	case c.Secret == given: // want "c.Secret is compared"
	case c.Token == other.Secret: // want "c.Token is compared"
	case other.Secret == c.Token: // want "c.Token is compared"
	case other.Ticket == given: // want "other.Ticket is compared"
	case other.Secret == given:
	case hmac.Equal(c.secret, signature):
	case c.Token == "", nil == c.secret, len(c.secret) == maxTickets, len(given) == familyToken, c.tokenID == given, c.name == given:
	case strings.EqualFold("bearer", given), sha256.Sum256([]byte(c.Token)) == sha256.Sum256([]byte(given)):
	}
	switch c.Token { // want "c.Token is compared"
	case "":
	case given:
	}
	switch c.Token {
	case "":
	default:
	}
	switch given { // want "c.Token is compared"
	case c.Token:
	}
	return false
}

func looksUp(s *server, ticket string, i int) *client {
	delete(s.byTicket, ticket) // want "ticket is compared"
	_ = s.tickets[i]
	_ = s.all["name"]
	return s.byTicket[ticket] // want "ticket is compared"
}

func plain(secret, password, given string) bool {
	return secret == given || // want "secret is compared"
		password == given // want "password is compared"
}
