package auth

import (
	"fmt"
	"strings"
)

// Verb is something that a client may do in a room. Verbs of different kinds are combined by |.
type Verb uint8

// The verbs.
const (
	Join     Verb = 1 << iota // become a member, and get what is published from then on, or since a position it had
	Publish                   // publish
	Presence                  // see who is there
	History                   // read what was published before
	AllVerbs = Join | Publish | Presence | History
)

// verbNames are the words for verbs.
var verbNames = [...]struct {
	verb Verb
	name string
}{{Join, "join"}, {Publish, "publish"}, {Presence, "presence"}, {History, "history"}}

// String returns the words for v, separated by commas; "*" for all of them.
func (v Verb) String() string {
	if v == AllVerbs {
		return "*"
	}
	var words []string
	for _, n := range verbNames {
		if v&n.verb != 0 {
			words = append(words, n.name)
		}
	}
	return strings.Join(words, ",")
}

// Bounds of what a token may say.
const (
	MaxGrants  = 128 // grants of a token
	MaxRoles   = 128 // roles of a token
	maxRoleLen = 128 // bytes of a role
	maxRoomLen = 200 // bytes of a grant's pattern, as of a rule's
)

// Grant allows verbs in the rooms whose name matches a pattern. It counts where the room's rule counts grants.
type Grant struct {
	Verbs Verb
	Rooms string // "*" is any run of bytes other than '/' and ':', "**" any run of bytes
}

// ParseGrant reads a grant as it stands in a token: verbs separated by commas, a space, and a pattern, such as
// "join,publish chat/*". "*", or no verbs and no space, is all of them.
func ParseGrant(text string) (Grant, error) {
	words, rooms, found := strings.Cut(text, " ")
	g := Grant{Rooms: rooms}
	if !found {
		words, g.Rooms = "*", text
	}
	if err := checkRooms(g.Rooms); err != nil {
		return Grant{}, fmt.Errorf("grant %q: %w", short(text), err)
	}
	for word := range strings.SplitSeq(words, ",") {
		verb := parseVerb(word)
		if verb == 0 {
			return Grant{}, fmt.Errorf("grant %q: %q is none of join, publish, presence, history, *", short(text), short(word))
		}
		g.Verbs |= verb
	}
	return g, nil
}

// String returns g as ParseGrant reads it.
func (g Grant) String() string { return g.Verbs.String() + " " + g.Rooms }

func parseVerb(word string) Verb {
	if word == "*" {
		return AllVerbs
	}
	for _, n := range verbNames {
		if n.name == word {
			return n.verb
		}
	}
	return 0
}

// checkRooms reports what can be no pattern of rooms.
func checkRooms(pattern string) error {
	switch {
	case pattern == "":
		return fmt.Errorf("no rooms")
	case len(pattern) > maxRoomLen:
		return fmt.Errorf("the pattern is longer than %d bytes", maxRoomLen)
	case strings.Contains(pattern, "***"):
		return fmt.Errorf("%q is neither \"*\" nor \"**\"", "***")
	}
	for i := range len(pattern) {
		if c := pattern[i]; c <= ' ' || c > '~' {
			return fmt.Errorf("no room's name contains %q", c)
		}
	}
	return nil
}

// short returns text without the rest of what is long, for an error.
func short(text string) string {
	const most = 64
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}
