package session

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/protocol"
)

// ruleOf returns the rule of a room.
func (s *Session) ruleOf(room string, m *hub.Member) *rule.Rule {
	if m != nil {
		return m.Rule()
	}
	return s.node.Hub.Rule(room)
}

// validates reports whether the rule of a room looks into what is published, which takes a time that nobody knows.
func (s *Session) validates(room []byte) bool {
	return protocol.CheckRoom(room) && s.ruleOf(string(room), s.member(room)).Content.Validate != nil
}

// checkContent returns an error for a publish that its room's rule does not take. The error's field is "data" with a
// JSON pointer (RFC 6901) behind it, or "bytes".
func (s *Session) checkContent(r *protocol.Request, in *rule.Rule) *protocol.Error {
	c := &in.Content
	if !c.Any() {
		return nil
	}
	if r.Bytes != nil {
		switch {
		case c.MaxBytes > 0 && len(r.Bytes) > c.MaxBytes:
			return tooMuch("bytes", c.MaxBytes, "bytes")
		case c.Validate != nil:
			return fail(protocol.CodeInvalidData, "bytes", "this room takes JSON only")
		}
		return nil
	}
	if c.MaxBytes > 0 && len(r.Data) > c.MaxBytes {
		return tooMuch("data", c.MaxBytes, "bytes")
	}
	if c.MaxCharacters > 0 || c.MaxTextBytes > 0 {
		if err := checkText(r.Data, c); err != nil {
			return err
		}
	}
	if c.Validate == nil {
		return nil
	}
	if err := c.Validate(r.Data); err != nil {
		return s.hookError(err)
	}
	return nil
}

// checkText checks the length of the text of a message.
func checkText(data json.RawMessage, c *rule.Content) *protocol.Error {
	field, text := textOf(data)
	switch {
	case c.MaxTextBytes > 0 && len(text) > c.MaxTextBytes:
		return tooMuch(field, c.MaxTextBytes, "bytes")
	case c.MaxCharacters > 0 && len(text) > c.MaxCharacters && utf8.RuneCountInString(text) > c.MaxCharacters:
		return tooMuch(field, c.MaxCharacters, "characters")
	}
	return nil
}

// textOf returns the text of a message and where it stands: data that is a string, or the member "text" of an object. As
// in a browser, the last member of a name counts, and names are case-sensitive.
func textOf(data json.RawMessage) (field, text string) {
	switch data[0] {
	case '"':
		field = "data"
	case '{':
		var members map[string]json.RawMessage
		if json.Unmarshal(data, &members) != nil {
			return "", "" // the parser has checked it: there is nothing that could be wrong
		}
		field, data = "data/text", members["text"]
	default:
		return "", ""
	}
	if json.Unmarshal(data, &text) != nil {
		return "", "" // a text that is no string, or none
	}
	return field, text
}

func tooMuch(field string, most int, unit string) *protocol.Error {
	return fail(protocol.CodeInvalidData, field, fmt.Sprintf("more than %d %s", most, unit))
}
