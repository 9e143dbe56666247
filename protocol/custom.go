package protocol

import "encoding/json"

// Custom is an envelope of an application's own type, for one session.
type Custom struct {
	Kind string          // the type; one that CheckType accepts
	Data json.RawMessage // the application's own; absent when empty
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

// CheckType reports whether kind may be the type of an application's own envelopes: 1 to MaxEventLen bytes of
// `A-Z a-z 0-9 _ : . -`, and none of the protocol's own types.
func CheckType(kind string) bool {
	if len(kind) == 0 || len(kind) > MaxEventLen || KindOf(kind) != KindOther {
		return false
	}
	for i := range len(kind) {
		c := kind[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '_' && c != ':' && c != '.' && c != '-' {
			return false
		}
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
