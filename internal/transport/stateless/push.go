package stateless

import "github.com/wireroom/wireroom/protocol"

// OK is the reply to a join, where the join stood in a request that was for more than that.
type OK struct{ Joined *protocol.Joined }

// Type implements protocol.Push.
func (*OK) Type() string { return protocol.TypeOK }

// AppendFields implements protocol.Push.
func (o *OK) AppendFields(b []byte) []byte {
	b = append(b, `,"of":"`+protocol.TypeJoin+`"`...)
	return o.Joined.AppendFields(b)
}

// Failure is an error about one room, or about all that was asked for where Room is empty.
type Failure struct {
	Room string
	Err  *protocol.Error
}

// Type implements protocol.Push.
func (*Failure) Type() string { return protocol.TypeError }

// AppendFields implements protocol.Push.
func (f *Failure) AppendFields(b []byte) []byte {
	if f.Room != "" {
		b = append(b, `,"of":"`+protocol.TypeJoin+`","room":`...)
		b = protocol.AppendString(b, f.Room)
	}
	return f.Err.AppendFields(b)
}

// JoinReply turns the reply to one of Ask.Joins into what the client gets.
func JoinReply(r *protocol.Reply) protocol.Push {
	if joined, ok := r.Result.(*protocol.Joined); ok && r.Err == nil {
		return &OK{joined}
	}
	err := r.Err
	if err == nil {
		err = protocol.ErrInternal // no join has another result
	}
	return &Failure{Room: roomOf(r.ID), Err: err}
}

// roomOf returns the room whose name is an id. No byte of a name needs an escape.
func roomOf(id []byte) string {
	if len(id) < 2 {
		return ""
	}
	return string(id[1 : len(id)-1])
}

// Target returns where p moves its receiver; the room is empty where it moves nobody.
func Target(p protocol.Push) (room string, position protocol.Position) {
	switch p := p.(type) {
	case *protocol.Message:
		room, position = p.Room, p.Position
	case *protocol.Gap:
		room, position = p.Room, p.Position
	case *OK:
		room, position = p.Joined.Room, p.Joined.Position
	}
	if position.IsZero() || len(room) > protocol.MaxRoomLen {
		return "", position
	}
	return room, position
}
