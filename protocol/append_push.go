package protocol

import (
	"encoding/base64"
	"encoding/binary"
	"math"
)

// AppendFields implements Push: room, pos unless ephemeral, from, ts, event and key unless empty, then data as it is,
// or bytes in base64 when Bytes is not nil.
func (m *Message) AppendFields(b []byte) []byte {
	b = m.appendHead(b)
	if m.Bytes != nil {
		b = append(b, `,"bytes":"`...)
		b = base64.StdEncoding.AppendEncode(b, m.Bytes)
		return append(b, '"')
	}
	return appendRaw(b, `,"data":`, m.Data)
}

// appendHead appends all fields but the payload.
func (m *Message) appendHead(b []byte) []byte {
	b = appendText(b, `,"room":`, m.Room)
	b = appendPosition(b, `,"pos":`, m.Position)
	b = appendText(b, `,"from":{"user":`, m.From.User)
	b = appendOptional(b, `,"client":`, m.From.Client)
	b = appendOptional(b, `,"name":`, m.From.Name)
	b = append(b, '}')
	b = appendInteger(b, `,"ts":`, m.Time)
	b = appendOptional(b, `,"event":`, m.Event)
	return appendOptional(b, `,"key":`, m.Key)
}

// AppendBinary appends m to b as the content of a native binary frame: the length of the envelope as a big-endian
// uint16, the envelope without data or bytes, and m.Bytes. It returns b as it was in the one case that this form has
// no room for, an envelope of 64 KiB or more, which takes a name of that length; AppendPush can write it.
func AppendBinary(b []byte, m *Message) []byte {
	start := len(b)
	b = append(b, 0, 0)
	b = append(b, `{"type":"`+TypeMessage+`"`...)
	b = append(m.appendHead(b), '}')
	return closeBinary(b, start, m.Bytes)
}

// closeBinary completes a binary frame that begins at start and ends with its envelope; it takes back an envelope
// that is too long.
func closeBinary(b []byte, start int, payload []byte) []byte {
	n := len(b) - start - 2
	if n > math.MaxUint16 {
		return b[:start]
	}
	binary.BigEndian.PutUint16(b[start:], uint16(n))
	return append(b, payload...)
}

// Type returns "welcome".
func (*Welcome) Type() string { return TypeWelcome }

// AppendFields implements Push.
func (w *Welcome) AppendFields(b []byte) []byte {
	b = appendText(b, `,"client":`, w.Client)
	b = appendText(b, `,"user":`, w.User)
	b = appendText(b, `,"inbox":`, w.Inbox)
	b = appendOptional(b, `,"token":`, w.Token)
	b = appendText(b, `,"node":`, w.Node)
	b = appendInteger(b, `,"protocol":`, int64(w.Protocol))
	b = appendSeconds(b, `,"ping_interval":`, w.PingInterval)
	b = appendInteger(b, `,"max_message":`, int64(w.MaxMessage))
	b = appendText(b, `,"durability":`, w.Durability)
	b = appendInteger(b, `,"users":`, int64(w.Users))
	return appendInteger(b, `,"ts":`, w.Time)
}

// Type returns "auth_required".
func (*AuthRequired) Type() string { return TypeAuthRequired }

// AppendFields implements Push.
func (a *AuthRequired) AppendFields(b []byte) []byte {
	return appendSeconds(b, `,"timeout":`, a.Timeout)
}

// Type returns "user_joined" or "user_left".
func (u *UserEvent) Type() string {
	if u.Left {
		return TypeUserLeft
	}
	return TypeUserJoined
}

// AppendFields implements Push.
func (u *UserEvent) AppendFields(b []byte) []byte {
	b = appendText(b, `,"room":`, u.Room)
	b = appendText(b, `,"user":`, u.User)
	b = appendOptional(b, `,"name":`, u.Name)
	b = appendRaw(b, `,"state":`, u.State)
	return appendInteger(b, `,"count":`, int64(u.Count))
}

// Type returns "presence".
func (*Presence) Type() string { return TypePresence }

// AppendFields implements Push and Result: room unless empty, count, members unless nil, next unless empty.
func (p *Presence) AppendFields(b []byte) []byte {
	b = appendOptional(b, `,"room":`, p.Room)
	b = appendInteger(b, `,"count":`, int64(p.Count))
	b = appendMembers(b, p.Members)
	return appendOptional(b, `,"next":`, p.Next)
}

// Type returns "state".
func (*State) Type() string { return TypeState }

// AppendFields implements Push. No state is written as null.
func (s *State) AppendFields(b []byte) []byte {
	b = appendText(b, `,"room":`, s.Room)
	b = appendText(b, `,"user":`, s.User)
	if len(s.State) == 0 {
		return append(b, `,"state":null`...)
	}
	return appendRaw(b, `,"state":`, s.State)
}

// Type returns "gap".
func (*Gap) Type() string { return TypeGap }

// AppendFields implements Push.
func (g *Gap) AppendFields(b []byte) []byte {
	b = appendText(b, `,"room":`, g.Room)
	b = appendText(b, `,"reason":`, string(g.Reason))
	return appendPosition(b, `,"pos":`, g.Position)
}

// Type returns "kicked".
func (*Kicked) Type() string { return TypeKicked }

// AppendFields implements Push.
func (k *Kicked) AppendFields(b []byte) []byte {
	b = appendText(b, `,"room":`, k.Room)
	b = appendText(b, `,"reason":`, k.Reason)
	return appendSeconds(b, `,"for":`, k.For)
}

// Type returns "token_expiring".
func (*TokenExpiring) Type() string { return TypeTokenExpiring }

// AppendFields implements Push.
func (t *TokenExpiring) AppendFields(b []byte) []byte {
	return appendSeconds(b, `,"expires_in":`, t.ExpiresIn)
}

// Type returns "draining".
func (*Draining) Type() string { return TypeDraining }

// AppendFields implements Push.
func (d *Draining) AppendFields(b []byte) []byte {
	return appendSeconds(b, `,"reconnect_after":`, d.ReconnectAfter)
}

// Type returns "ping".
func (*Ping) Type() string { return TypePing }

// AppendFields implements Push; a ping has no fields.
func (*Ping) AppendFields(b []byte) []byte { return b }

// Type returns "pong".
func (*Pong) Type() string { return TypePong }

// AppendFields implements Push: ts if the ping had one, and server_ts.
func (p *Pong) AppendFields(b []byte) []byte {
	b = appendRaw(b, `,"ts":`, p.Time)
	return appendInteger(b, `,"server_ts":`, p.ServerTime)
}
