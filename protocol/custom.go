package protocol

import (
	"encoding/json"
	"unicode/utf8"
)

// Custom is an envelope of an application's own type, for one session.
type Custom struct {
	Kind string          // the type; one that CheckType accepts
	Data json.RawMessage // the application's own; absent when empty
	// Args are for clients whose events have arguments instead of data; nil is Data alone. In one, binary data stands
	// as {"_placeholder":true,"num":n}, for Attachments[n].
	Args        []json.RawMessage
	Attachments [][]byte
}

// Type returns the application's type.
func (c *Custom) Type() string { return c.Kind }

// AppendFields implements Push.
func (c *Custom) AppendFields(b []byte) []byte {
	if len(c.Data) == 0 {
		return b
	}
	return appendRaw(b, `,"data":`, c.Data)
}

// CheckEvent reports whether name can name an event: 1 to MaxEventLen bytes of UTF-8 that stand for themselves in a JSON
// string, without control characters.
func CheckEvent(name string) bool {
	if len(name) == 0 || len(name) > MaxEventLen || !utf8.ValidString(name) {
		return false
	}
	for i := range len(name) {
		if c := name[i]; classes[c]&plain == 0 || c == 0x7F {
			return false
		}
	}
	return true
}

// CheckType reports whether kind may be the type of an application's own envelopes: it can name an event, and is none of
// the protocol's own types.
func CheckType(kind string) bool {
	if !CheckEvent(kind) || KindOf(kind) != KindOther {
		return false
	}
	switch kind {
	case TypeWelcome, TypeAuthRequired, TypeOK, TypeError, TypeMessage, TypeUserJoined, TypeUserLeft, TypeGap,
		TypeKicked, TypeTokenExpiring, TypeDraining:
		return false
	}
	return true
}

// KindOf returns the kind of a request's type.
func KindOf(kind string) Kind { return kindOf([]byte(kind)) }
