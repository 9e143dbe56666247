package session

import (
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/protocol"
)

// Stream is how a transport carries what rooms hold; its methods are those of hub.Receiver.
type Stream interface {
	Framing() hub.Framing
	Deliver(frames conn.Frames, unless *atomic.Bool) conn.Outcome
	Ready() bool
}

// Follower is a trait of an Outlet that keeps where its client stands: it is told of the rooms that an application has the
// session join and leave, of which there are no replies. Joined is called with the room locked.
type Follower interface {
	Joined(j *protocol.Joined)
	Left(room string)
}

// Caller is a trait of an Outlet whose client answers what it is sent: answer is called once, with what the client
// answers or with why it does not, unless cancel is called before. It must not block.
type Caller interface {
	Call(c *protocol.Custom, answer func(*protocol.Answer, error)) (cancel func())
}

// Outlet is what a session calls in its transport. Its methods do not block and may be called at once.
type Outlet interface {
	Stream
	// Reply answers a request; it borrows r and what is in it.
	Reply(r *protocol.Reply)
	// Push sends an envelope to this session alone, in order with replies.
	Push(p protocol.Push)
	// Close ends the connection with a code, a reason, and where retry is not 0 the time after which to come back.
	Close(code protocol.CloseCode, reason string, retry time.Duration)
	// Resume reads requests again after Receive reported that there is no room for more.
	Resume()
}

// Returning is a trait of an Outlet that has its session leave rooms and join them again, on behalf of a client that has
// not left: Returns reports whether the join of a room is such a one, which is no word of what its user is called.
type Returning interface{ Returns(room string) bool }
