package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/protocol"
)

// Access says who may do something in a room: words separated by commas, any of which is enough.
//
//	anyone       whoever is connected
//	nobody       no client at all; the server's own code may
//	signed-in    users whom a token vouches for, not anonymous ones
//	role:NAME    users who have that role
//	grant        users whose token grants it for the room
//	owner        the user whose inbox the room is
//	members      members of the room
//
// Empty: what the server says for rooms whose rule does not; of an inbox, its owner may do everything and anyone publish.
type Access string

// Allow says who may do what. Of an inbox nobody but its owner may do anything save publish, whatever stands here.
type Allow struct {
	Join     Access
	Publish  Access
	Presence Access // see who is there
	History  Access // read what was published before: by history, or by joining with last. Coming back with since is joining
}

// Stated reports whether a says anything.
func (a Allow) Stated() bool { return a != Allow{} }

// Answer says whether something is allowed.
type Answer uint8

// The answers.
const (
	No       Answer = iota
	IfMember        // to members of the room only
	Yes
)

// access is a compiled Access.
type access struct {
	words words
	roles []string
}

// words are the words of an Access but for roles.
type words uint8

const (
	wordAnyone words = 1 << iota
	wordSignedIn
	wordGrant
	wordOwner
	wordMembers
	wordNobody
)

// vocabulary is the words, as they are written.
var vocabulary = [...]struct {
	text string
	word words
}{
	{"anyone", wordAnyone},
	{"signed-in", wordSignedIn},
	{"grant", wordGrant},
	{"owner", wordOwner},
	{"members", wordMembers},
	{"nobody", wordNobody},
}

const rolePrefix = "role:"

// parseAccess reads an Access.
func parseAccess(text Access) (access, error) {
	var a access
	for word := range strings.SplitSeq(string(text), ",") {
		word = strings.TrimSpace(word)
		if role, ok := strings.CutPrefix(word, rolePrefix); ok && role != "" {
			a.roles = append(a.roles, role)
			continue
		}
		i := slices.Index(Words(), word)
		if i < 0 || i >= len(vocabulary) {
			return access{}, fmt.Errorf("%q is none of %s", word, strings.Join(Words(), ", "))
		}
		a.words |= vocabulary[i].word
	}
	if a.words&wordNobody != 0 && (a.words != wordNobody || a.roles != nil) {
		return access{}, fmt.Errorf("nobody, and somebody besides")
	}
	return a, nil
}

// Check reports what is no Access.
func (a Access) Check() error {
	_, err := parseAccess(a)
	return err
}

// Words returns the words of an Access, as one would list them.
func Words() []string {
	texts := make([]string, 0, len(vocabulary)+1)
	for _, v := range vocabulary {
		texts = append(texts, v.text)
	}
	return append(texts, rolePrefix+"NAME")
}

// IsWord reports whether text is a word of an Access.
func IsWord(text string) bool {
	_, err := parseAccess(Access(text))
	return err == nil
}

// permits is a compiled Allow: one access for each verb, by its bit.
type permits struct {
	join, publish, presence, history access
	open                             bool // nothing was said of publishing: inboxes take messages of anyone
}

// compile reads a, with unstated in the place of what it does not say.
func (a Allow) compile(unstated Access) (*permits, error) {
	p := &permits{open: a.Publish == ""}
	for _, one := range []struct {
		name string
		text Access
		to   *access
	}{{"join", a.Join, &p.join}, {"publish", a.Publish, &p.publish}, {"presence", a.Presence, &p.presence}, {"history", a.History, &p.history}} {
		if one.text == "" {
			one.text = unstated
		}
		compiled, err := parseAccess(one.text)
		if err != nil {
			return nil, fmt.Errorf("allow.%s: %w", one.name, err)
		}
		if one.name == "join" && compiled.words&wordMembers != 0 && compiled.words&(wordAnyone|wordSignedIn|wordGrant) == 0 && compiled.roles == nil {
			return nil, fmt.Errorf("allow.join: members alone can never join: there is nobody to begin with")
		}
		*one.to = compiled
	}
	return p, nil
}

// of returns the access of one verb.
func (p *permits) of(verb auth.Verb) *access {
	switch verb {
	case auth.Join:
		return &p.join
	case auth.Publish:
		return &p.publish
	case auth.Presence:
		return &p.presence
	}
	return &p.history
}

// May reports whether a user may do one thing in a room that the rule holds for. who is nil for an anonymous user of whom
// nothing else is known. It does not allocate. r is one that a Set returned.
func (r *Rule) May(verb auth.Verb, room, user string, who *auth.Identity) Answer {
	a := r.permits.of(verb)
	if room[0] == '@' {
		switch {
		case room[1:] == protocol.EncodeUser(user):
			return Yes // its owner
		case verb != auth.Publish:
			return No
		case r.permits.open:
			return Yes
		}
	}
	return a.answer(verb, room, who)
}

func (a *access) answer(verb auth.Verb, room string, who *auth.Identity) Answer {
	switch {
	case a.words&wordAnyone != 0,
		a.words&wordSignedIn != 0 && who != nil && !who.Anonymous,
		slices.ContainsFunc(a.roles, who.HasRole),
		a.words&wordGrant != 0 && who != nil && granted(verb, room, who.Grants):
		return Yes
	case a.words&wordMembers != 0:
		return IfMember
	}
	return No
}

// granted reports whether one of the grants is for the verb and the room.
func granted(verb auth.Verb, room string, grants []auth.Grant) bool {
	for _, g := range grants {
		if g.Verbs&verb != 0 && Matches(g.Rooms, room) {
			return true
		}
	}
	return false
}
