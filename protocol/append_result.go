package protocol

// AppendFields implements Result.
func (a *Authenticated) AppendFields(b []byte) []byte {
	b = appendText(b, `,"user":`, a.User)
	b = appendOptional(b, `,"name":`, a.Name)
	if a.ExpiresAt == 0 {
		return b
	}
	return appendInteger(b, `,"expires_at":`, a.ExpiresAt)
}

// AppendFields implements Result. Already: room and already alone. Otherwise room, pos, head and count; WithSince:
// recovered, true or false, and reason with false; WithPresence: present, even when 0, and members, even when there
// are none.
func (j *Joined) AppendFields(b []byte) []byte {
	b = appendText(b, `,"room":`, j.Room)
	if j.Already {
		return append(b, `,"already":true`...)
	}
	b = appendPosition(b, `,"pos":`, j.Position)
	b = appendPosition(b, `,"head":`, j.Head)
	b = appendInteger(b, `,"count":`, int64(j.Count))
	if j.WithSince {
		b = appendBool(b, `,"recovered":`, j.Recovered)
		if !j.Recovered {
			b = appendText(b, `,"reason":`, string(j.Reason))
		}
	}
	if !j.WithPresence {
		return b
	}
	b = appendInteger(b, `,"present":`, int64(j.Present))
	if j.Members == nil {
		return append(b, `,"members":[]`...)
	}
	return appendMembers(b, j.Members)
}

// AppendFields implements Result.
func (l *Left) AppendFields(b []byte) []byte { return appendText(b, `,"room":`, l.Room) }

// AppendFields implements Result: room, pos unless ephemeral, ts, and duplicate when it is one.
func (p *Published) AppendFields(b []byte) []byte {
	b = appendText(b, `,"room":`, p.Room)
	b = appendPosition(b, `,"pos":`, p.Position)
	b = appendInteger(b, `,"ts":`, p.Time)
	if !p.Duplicate {
		return b
	}
	return append(b, `,"duplicate":true`...)
}

// AppendFields implements Result: room, messages, each the envelope that a member receives, pos and more; or, when
// Refused is not empty, room, recovered:false, reason and pos.
func (h *History) AppendFields(b []byte) []byte {
	b = appendText(b, `,"room":`, h.Room)
	if h.Refused != "" {
		b = appendText(b, `,"recovered":false,"reason":`, string(h.Refused))
		return appendPosition(b, `,"pos":`, h.Position)
	}
	b = append(b, `,"messages":[`...)
	for i, m := range h.Messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendPush(b, m)
	}
	b = append(b, ']')
	b = appendPosition(b, `,"pos":`, h.Position)
	return appendBool(b, `,"more":`, h.More)
}

// AppendFields implements Result: data, unless there is none.
func (a *Answer) AppendFields(b []byte) []byte { return appendRaw(b, `,"data":`, a.Data) }
