package websocket

import (
	"log/slog"
	"runtime/debug"

	"github.com/wireroom/wireroom/protocol"
)

// guarded is an application's dialect whose panics end nothing: it runs where all connections are served, and while
// rooms are delivered to.
type guarded struct {
	dialect Dialect
	logger  *slog.Logger
}

// Decode implements Dialect; a frame at which the dialect panics is an error.
func (g *guarded) Decode(frame []byte, binary bool, r *protocol.Request) (err *protocol.Error) {
	defer g.recovered(func() { err = protocol.ErrInternal })
	return g.dialect.Decode(frame, binary, r)
}

// Encode implements Dialect; clients are not told of that at which the dialect panics.
func (g *guarded) Encode(p protocol.Push) (frame []byte, binary bool) {
	defer g.recovered(func() { frame = nil })
	return g.dialect.Encode(p)
}

// Reply implements Dialect, as Encode does.
func (g *guarded) Reply(r *protocol.Reply) (frame []byte, binary bool) {
	defer g.recovered(func() { frame = nil })
	return g.dialect.Reply(r)
}

// recovered ends a panic of the dialect; it is deferred.
func (g *guarded) recovered(then func()) {
	if p := recover(); p != nil {
		g.logger.Error("panic in a dialect", "panic", p, "stack", string(debug.Stack()))
		then()
	}
}
