// Command echo is a WebSocket server that sends back what comes, on the connection layer that Wireroom is built on and
// nothing above it. It prints its URL.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/wire/ws"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

func run() error {
	loops := flag.Int("loops", 0, "event loops; 0: one a processor")
	flag.Parse()
	poller, err := conn.New(conn.Options{Loops: *loops})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("ws://%s/echo\n", listener.Addr())
	s := &server{poller: poller, config: ws.Config{MaxMessage: 1 << 20}}
	h := http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	return h.Serve(listener)
}

type server struct {
	poller *conn.Poller
	config ws.Config
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	hand, refusal := ws.Upgrade(r, nil, "")
	if refusal != nil {
		http.Error(w, refusal.Reason, refusal.Status)
		return
	}
	nc, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	early, _ := buffered.Reader.Peek(buffered.Reader.Buffered()) // it is there
	if _, err := nc.Write(hand.AppendResponse(nil)); err != nil {
		nc.Close()
		return
	}
	c := &connection{server: s}
	_ = s.poller.Adopt(&c.socket, nc, early, c) // it has closed nc where it fails
}

// connection implements conn.Handler and ws.Sink.
type connection struct {
	socket  conn.Conn
	server  *server
	decoder *ws.Decoder
	frame   []byte
}

// Received implements conn.Handler.
func (c *connection) Received(p []byte) int {
	n, err := c.server.config.Decode(&c.decoder, p, c)
	if err != nil {
		c.socket.Abort(err)
		return len(p)
	}
	return n
}

// Message implements ws.Sink.
func (c *connection) Message(op ws.Opcode, payload []byte) bool {
	c.frame = ws.AppendFrame(c.frame[:0], op, payload)
	return c.socket.Send(c.frame)
}

// Control implements ws.Sink.
func (c *connection) Control(op ws.Opcode, payload []byte) bool {
	switch op {
	case ws.Ping:
		c.socket.Send(ws.AppendFrame(nil, ws.Pong, payload))
	case ws.Close:
		c.socket.Finish(ws.AppendFrame(nil, ws.Close, payload[:min(len(payload), 2)]))
	}
	return true
}

// Writable implements conn.Handler.
func (c *connection) Writable() {}

// Closed implements conn.Handler.
func (c *connection) Closed(error) {
	if c.decoder != nil {
		c.decoder.Release()
	}
}
