// Package faultproxy is a TCP proxy that breaks connections on purpose: it delays, slows down, swallows, half-closes,
// resets and cuts, at once or by a seeded plan that can be replayed. Tests put it between a client and a server.
//
// A Proxy (proxy.go) has a link for each connection (link.go), and a link a pipe for each way (pipe.go). What happens to
// bytes stands in Faults (faults.go) and may be changed at any time. The command in cmd is driven by lines on its
// standard input, for tests that are not in Go.
package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Options of a Proxy.
type Options struct {
	// Target is the address of the server. Required.
	Target string
	// Listen is the address that clients connect to. Default: a free port of 127.0.0.1.
	Listen string
	// Seed of whatever is random. The same seed and the same order of connections give the same faults.
	Seed uint64
	// Faults of all connections, until Set.
	Faults Faults
	// Plan gives single connections faults of their own; Set replaces them. Nil: none.
	Plan Plan
}

// Proxy is a running proxy. Its methods may be called at once.
type Proxy struct {
	listener net.Listener
	life     context.Context // ends with the proxy
	end      context.CancelFunc
	running  sync.WaitGroup

	mu      sync.Mutex
	options Options
	count   int
	links   map[*link]struct{}
	closed  bool
}

// New starts a proxy.
func New(o Options) (*Proxy, error) {
	if o.Target == "" {
		return nil, errors.New("faultproxy: no target")
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("faultproxy: %w", err)
	}
	p := &Proxy{listener: listener, options: o, links: make(map[*link]struct{})}
	p.life, p.end = context.WithCancel(context.Background())
	p.running.Go(p.accept)
	return p, nil
}

// Addr returns the address that clients connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Close resets every connection and returns when nothing of the proxy runs any more.
func (p *Proxy) Close() {
	p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Reset()
	p.end()
	p.running.Wait()
}

// Set replaces the faults of all connections, those that are open and those to come.
func (p *Proxy) Set(f Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.options.Faults, p.options.Plan = f, nil
	for l := range p.links {
		l.set(&f)
	}
}

// SetTarget has the connections to come go to another server. Connections that wait in a black hole are among them.
func (p *Proxy) SetTarget(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.options.Target = address
}

// Reset resets every connection at both ends, and returns how many there were.
func (p *Proxy) Reset() int {
	open := p.open()
	for _, l := range open {
		l.reset()
	}
	return len(open)
}

// HalfClose tells an end of every connection that no more will come from the other one, which is told nothing: what it
// sends from then on is swallowed. It returns how many connections there were.
func (p *Proxy) HalfClose(toward End) int {
	open := p.open()
	for _, l := range open {
		l.halfClose(toward)
	}
	return len(open)
}

// Counts returns how many connections are open, and how many there have been.
func (p *Proxy) Counts() (open, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links), p.count
}

// open returns the connections that are open.
func (p *Proxy) open() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	open := make([]*link, 0, len(p.links))
	for l := range p.links {
		open = append(open, l)
	}
	return open
}

// accept takes connections until the proxy ends.
func (p *Proxy) accept() {
	for {
		accepted, err := p.listener.Accept()
		if err != nil {
			return
		}
		client := accepted.(*net.TCPConn)
		l := p.begin(client)
		if l == nil {
			abort(client)
			continue
		}
		p.running.Go(func() {
			l.run()
			p.mu.Lock()
			defer p.mu.Unlock()
			delete(p.links, l)
		})
	}
}

// begin returns the link of a new connection, or nil where it is to be refused.
func (p *Proxy) begin(client *net.TCPConn) *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, f := p.count, p.options.Faults
	p.count++
	if p.options.Plan != nil {
		p.options.Plan(n, p.random(n, 0), &f)
	}
	if f.Refuse || p.closed {
		return nil
	}
	l := newLink(p, client, n, &f)
	p.links[l] = struct{}{}
	return l
}

// random returns the random numbers of one use by the n-th connection.
func (p *Proxy) random(n int, use uint64) *rand.Rand {
	return rand.New(rand.NewPCG(p.options.Seed, uint64(n)<<2|use))
}

// target returns the address of the server.
func (p *Proxy) target() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.options.Target
}

// abort closes a connection with a reset.
func abort(c *net.TCPConn) {
	_ = c.SetLinger(0) // without it the reset is an end
	c.Close()
}
