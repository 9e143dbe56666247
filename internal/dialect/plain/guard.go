package plain

import (
	"log/slog"
	"runtime/debug"

	"github.com/wireroom/wireroom/protocol"
)

// guarded is a dialect whose panics end nothing.
type guarded struct {
	dialect Dialect
	logger  *slog.Logger
}

// Guard returns a dialect whose panics are logged and end nothing: of Decode one is an error, of the others nothing.
func Guard(d Dialect, logger *slog.Logger) Dialect { return &guarded{d, logger} }

// Decode implements Dialect.
func (g *guarded) Decode(frame []byte, binary bool, r *protocol.Request) (err *protocol.Error) {
	defer g.recovered(func() { err = protocol.ErrInternal })
	return g.dialect.Decode(frame, binary, r)
}

// Encode implements Dialect.
func (g *guarded) Encode(p protocol.Push) (frame []byte, binary bool) {
	defer g.recovered(func() { frame = nil })
	return g.dialect.Encode(p)
}

// Reply implements Dialect.
func (g *guarded) Reply(r *protocol.Reply) (frame []byte, binary bool) {
	defer g.recovered(func() { frame = nil })
	return g.dialect.Reply(r)
}

// recovered ends a panic; it is deferred.
func (g *guarded) recovered(then func()) {
	if p := recover(); p != nil {
		g.logger.Error("panic in a dialect", "panic", p, "stack", string(debug.Stack()))
		then()
	}
}
