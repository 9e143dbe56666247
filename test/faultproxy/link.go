package faultproxy

import (
	"context"
	"net"
	"sync"
)

// link is one connection through the proxy.
type link struct {
	proxy    *Proxy
	client   *net.TCPConn
	up, down *pipe
	life     context.Context // ends with the connection
	end      context.CancelFunc

	mu     sync.Mutex
	server *net.TCPConn // nil until it was dialled
	dead   bool
}

func newLink(p *Proxy, client *net.TCPConn, n int, f *Faults) *link {
	l := &link{proxy: p, client: client}
	l.life, l.end = context.WithCancel(p.life)
	l.up = newPipe(l, f.Up, p.random(n, 1))
	l.down = newPipe(l, f.Down, p.random(n, 2))
	return l
}

// run carries bytes until the connection has ended.
func (l *link) run() {
	defer l.end()
	server := l.dial()
	if server == nil {
		l.reset()
		return
	}
	var pipes sync.WaitGroup
	pipes.Go(func() { l.up.run(l.client, server) })
	pipes.Go(func() { l.down.run(server, l.client) })
	pipes.Wait()
	l.client.Close()
	server.Close()
}

// dial connects to the server, once the way to it is open.
func (l *link) dial() *net.TCPConn {
	if !l.up.passable() {
		return nil
	}
	var dialer net.Dialer
	dialled, err := dialer.DialContext(l.life, "tcp", l.proxy.target())
	if err != nil {
		return nil
	}
	server := dialled.(*net.TCPConn)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		abort(server)
		return nil
	}
	l.server = server
	return server
}

// set replaces the faults.
func (l *link) set(f *Faults) {
	l.up.set(f.Up)
	l.down.set(f.Down)
}

// reset ends the connection with a reset at both ends.
func (l *link) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return
	}
	l.dead = true
	abort(l.client) // before run closes it with an end
	if l.server != nil {
		abort(l.server)
	}
	l.end()
}

// halfClose ends what goes to one end.
func (l *link) halfClose(toward End) {
	if toward == Client {
		l.down.shut()
		return
	}
	l.up.shut()
}
