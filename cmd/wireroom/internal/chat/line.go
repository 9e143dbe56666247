package chat

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"time"
	"unicode"

	"github.com/wireroom/wireroom/protocol"
)

// style writes lines, with colours or without.
type style struct{ colours bool }

// Colours of names that can be read on light and dark ground, and what ends them.
const (
	firstColour = 31
	lastColour  = 36
	endColour   = "\x1b[0m"
	faintColour = "\x1b[2m"
)

// name returns somebody's name in a colour that is always theirs.
func (s style) name(sender protocol.Sender) string {
	name := plain(sender.Name)
	if name == "" {
		name = plain(sender.User)
	}
	if name == "" {
		name = "server"
	}
	if !s.colours {
		return name
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(sender.User)) // it never fails
	return fmt.Sprintf("\x1b[%dm%s%s", firstColour+hash.Sum32()%(lastColour-firstColour+1), name, endColour)
}

// faint returns what is not said by anybody.
func (s style) faint(text string) string {
	if !s.colours {
		return text
	}
	return faintColour + text + endColour
}

// message returns a message as a line, or several: "14:03 Ana: hello".
func (s style) message(m *protocol.Message, mark string) string {
	at := time.UnixMilli(m.Time).Format("15:04")
	if mark != "" {
		mark += " "
	}
	return s.faint(at) + " " + mark + s.name(m.From) + ": " + text(m)
}

// text returns what a message says: people's text as text, anything else as the JSON that it is. What foreign text
// could do to a terminal is taken out of it.
func text(m *protocol.Message) string {
	if m.Bytes != nil {
		return fmt.Sprintf("(binary, %d bytes)", len(m.Bytes))
	}
	var said string
	var object struct{ Text, Message, Content *string }
	if json.Unmarshal(m.Data, &said) != nil {
		said = string(m.Data)
		if json.Unmarshal(m.Data, &object) == nil {
			for _, member := range []*string{object.Text, object.Message, object.Content} {
				if member != nil {
					said = *member
					break
				}
			}
		}
	}
	if m.Event != "" {
		said = "[" + m.Event + "] " + said
	}
	kept := strings.Split(said, "\n")
	for i := range kept {
		kept[i] = plain(kept[i])
	}
	return strings.Join(kept, "\n      ")
}

// plain returns text without what a terminal would obey: control characters, and those that turn the direction of
// writing around.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}
