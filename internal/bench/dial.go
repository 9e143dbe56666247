package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"time"
)

const (
	dialers     = 64 // connections that are being made at once, a worker
	dialTimeout = 20 * time.Second
	slowBuffer  = 4 << 10  // bytes that the kernel receives for a client that stops reading
	maxHead     = 64 << 10 // bytes of the answer to a request, and what is read with it
)

// dialer makes the connections of a worker.
type dialer struct {
	worker  *worker
	servers []*url.URL
	sources []netip.Addr
	tls     *tls.Config
	queue   chan *client
	ctx     context.Context
	cancel  context.CancelFunc
	group   sync.WaitGroup
	readers sync.Pool
}

func newDialer(w *worker) (*dialer, error) {
	d := &dialer{worker: w, queue: make(chan *client, w.share.Count), sources: w.options.Sources}
	d.readers.New = func() any { return bufio.NewReader(nil) }
	d.tls = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: w.options.Insecure}
	for _, server := range w.options.Servers {
		u, err := url.Parse(server)
		if err != nil {
			return nil, fmt.Errorf("server: %w", err)
		}
		if u.Port() == "" {
			port := map[string]string{"ws": "80", "http": "80", "wss": "443", "https": "443"}[u.Scheme]
			u.Host = net.JoinHostPort(u.Hostname(), port)
		}
		d.servers = append(d.servers, u)
	}
	if len(d.sources) == 0 && loopback(d.servers) {
		d.sources = loopbackSources(w.share.Number)
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	for range dialers {
		d.group.Go(d.work)
	}
	return d, nil
}

// loopback reports whether all servers have addresses of 127.0.0.0/8.
func loopback(servers []*url.URL) bool {
	for _, u := range servers {
		addr, err := netip.ParseAddr(u.Hostname())
		if err != nil || !addr.Is4() || !addr.IsLoopback() {
			return false
		}
	}
	return true
}

// close gives up what is being dialed.
func (d *dialer) close() {
	d.cancel()
	d.group.Wait()
}

// ramp dials all clients, so many a second, or as fast as they come.
func (d *dialer) ramp(perSecond float64) {
	d.group.Go(func() {
		start := time.Now()
		for i := range d.worker.clients {
			if perSecond > 0 {
				due := start.Add(time.Duration(float64(i) / perSecond * float64(time.Second)))
				if !sleep(d.ctx, time.Until(due)) {
					return
				}
			}
			d.dial(&d.worker.clients[i])
		}
	})
}

// dial has a client dialed; there is room for all in the queue.
func (d *dialer) dial(c *client) {
	select {
	case d.queue <- c:
	case <-d.ctx.Done():
	}
}

func (d *dialer) work() {
	for {
		select {
		case c := <-d.queue:
			if err := d.connect(c); err != nil && d.ctx.Err() == nil {
				d.worker.unconnected(c, err)
			}
		case <-d.ctx.Done():
			return
		}
	}
}

// connect connects a client.
func (d *dialer) connect(c *client) error {
	w := d.worker
	w.mu.Lock()
	if !c.cut && c.began == 0 {
		c.began = w.clock.now()
	}
	w.mu.Unlock()
	global := w.share.First + int(c.number)
	u := d.servers[global%len(d.servers)]
	ctx, cancel := context.WithTimeout(d.ctx, dialTimeout)
	defer cancel()
	nc, err := d.open(ctx, u, global, c.slow)
	if err != nil {
		return err
	}
	l := &link{client: c}
	early, err := d.shake(nc, l, u)
	if err != nil {
		nc.Close()
		return err
	}
	return d.hand(nc, l, early)
}

// hand gives a connection that is open to the worker. It may carry bytes, and end, before this returns; its client asks
// for nothing of its own before opened was called.
func (d *dialer) hand(nc net.Conn, l *link, early []byte) error {
	w := d.worker
	w.mu.Lock()
	w.opened(l)
	w.mu.Unlock()
	if err := w.poller.Adopt(&l.socket, nc, early, l); err != nil {
		l.Closed(err)
		return nil // it is counted
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if l.client.link != l {
		return nil
	}
	w.speak.opened(l)
	w.out.flush(w)
	return nil
}

// open makes the connection that a request is sent over.
func (d *dialer) open(ctx context.Context, u *url.URL, number int, slow bool) (net.Conn, error) {
	var plain net.Dialer
	plain.KeepAlive = -1
	if n := len(d.sources); n > 0 {
		plain.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(d.sources[number%n], 0))
	}
	plain.Control = func(_, _ string, raw syscall.RawConn) error {
		return errors.Join(bindLate(raw), shrink(raw, slow))
	}
	nc, err := plain.DialContext(ctx, "tcp", u.Host)
	if err != nil || u.Scheme == "ws" || u.Scheme == "http" {
		return nc, err
	}
	config := d.tls.Clone()
	config.ServerName = u.Hostname()
	secure := tls.Client(nc, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, err
	}
	return secure, nil
}

// shake sends the request that opens the connection, and reads the answer and what came with it.
func (d *dialer) shake(nc net.Conn, l *link, u *url.URL) (early []byte, err error) {
	_ = nc.SetDeadline(time.Now().Add(dialTimeout)) // fails with the connection, as what follows does
	request := d.worker.speak.ask(l.client)
	target := *u
	query := target.Query()
	if token := d.worker.options.Token; token != "" {
		query.Set("token", token)
	}
	for name, values := range request.Form {
		query[name] = values
	}
	target.RawQuery = query.Encode()
	request.URL, request.Host = &target, u.Host
	if err := request.Write(nc); err != nil {
		return nil, err
	}
	reader := d.readers.Get().(*bufio.Reader)
	defer d.readers.Put(reader)
	reader.Reset(io.LimitReader(nc, maxHead)) // only until the answer was read; what it has read beyond comes with it
	answer, err := http.ReadResponse(reader, request)
	if err != nil {
		return nil, err
	}
	if err := d.worker.speak.check(l, request, answer); err != nil {
		return nil, err
	}
	early, _ = reader.Peek(reader.Buffered()) // it is there
	_ = nc.SetDeadline(time.Time{})
	return append([]byte(nil), early...), nil
}

// sleep waits, and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
