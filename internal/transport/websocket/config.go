package websocket

import "github.com/wireroom/wireroom/internal/wire/ws"

// configure sets how frames are read.
func (t *Transport) configure() {
	t.decode[0] = ws.Config{MaxMessage: t.MaxMessage}
	t.decode[1] = ws.Config{MaxMessage: t.MaxMessage}
}
