package socketio

import "github.com/wireroom/wireroom/protocol"

// localPush returns what the server tells as a client of the namespace sees it. p is shared: where it names a room it is
// copied.
func (n *namespace) localPush(p protocol.Push) protocol.Push {
	if n.prefix == "" {
		return p
	}
	switch p := p.(type) {
	case *protocol.UserEvent:
		local := *p
		local.Room = n.local(p.Room)
		return &local
	case *protocol.Presence:
		local := *p
		local.Room = n.local(p.Room)
		return &local
	case *protocol.State:
		local := *p
		local.Room = n.local(p.Room)
		return &local
	case *protocol.Gap:
		local := *p
		local.Room = n.local(p.Room)
		return &local
	case *protocol.Kicked:
		local := *p
		local.Room = n.local(p.Room)
		return &local
	}
	return p
}

// localResult returns what a request came to as a client of the namespace sees it.
func (n *namespace) localResult(r protocol.Result) protocol.Result {
	if n.prefix == "" {
		return r
	}
	switch r := r.(type) {
	case *protocol.Joined:
		local := *r
		local.Room = n.local(r.Room)
		return &local
	case *protocol.Left:
		return &protocol.Left{Room: n.local(r.Room)}
	case *protocol.Published:
		local := *r
		local.Room = n.local(r.Room)
		return &local
	case *protocol.Presence:
		local := *r
		local.Room = n.local(r.Room)
		return &local
	case *protocol.History:
		return n.localHistory(r)
	}
	return r
}

func (n *namespace) localHistory(h *protocol.History) *protocol.History {
	local := *h
	local.Room = n.local(h.Room)
	local.Messages = make([]*protocol.Message, len(h.Messages))
	for i, m := range h.Messages {
		message := *m
		message.Room = n.local(m.Room)
		local.Messages[i] = &message
	}
	return &local
}
