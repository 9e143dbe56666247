package conn

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Options are the settings of a Poller; the zero value works.
type Options struct {
	Loops    int  // event loops; default: one per two CPUs, at least 1
	Portable bool // a goroutine for every connection, also where there is an event loop
	// TurnEnd is called at the end of each turn of an event loop, after the handlers and before the bytes that Send
	// gathered are written, and after each call of a twin's handler. Calls for different loops and twins are made at
	// once. It must not block.
	TurnEnd func()
	// MaxKept is how many bytes of Send a connection keeps while its socket is full; default 64 KiB.
	MaxKept int
	Logger  *slog.Logger // default: nothing is logged
}

// Poller owns event loops and twins, and the connections given to them. Its methods may be called at once.
type Poller struct {
	turnEnd  func()
	maxKept  int
	portable bool
	logger   *slog.Logger
	pool     pool
	count    atomic.Int64 // connections not Closed yet
	birth    time.Time
	crew     crew
	loops    loops // empty where there is none
	twins    twins
}

// New starts a Poller. Its event loops hold a few descriptors; each has a goroutine from its first connection on.
func New(o Options) (*Poller, error) {
	p := &Poller{turnEnd: o.TurnEnd, maxKept: o.MaxKept, portable: o.Portable, logger: o.Logger, birth: time.Now()}
	if p.turnEnd == nil {
		p.turnEnd = func() {}
	}
	if p.maxKept == 0 {
		p.maxKept = 64 << 10
	}
	if p.logger == nil {
		p.logger = slog.New(slog.DiscardHandler)
	}
	n := o.Loops
	if n == 0 {
		n = max(1, runtime.GOMAXPROCS(0)/2)
	}
	if n < 0 || p.maxKept < 0 {
		return nil, fmt.Errorf("conn: negative option: Loops %d, MaxKept %d", o.Loops, o.MaxKept)
	}
	if o.Portable {
		return p, nil
	}
	if err := p.loops.open(p, n); err != nil {
		return nil, fmt.Errorf("conn: event loops: %w", err)
	}
	return p, nil
}

// Adopt takes nc over for c, which must be new; nothing but c may be used afterwards. A *net.TCPConn, and a *tls.Conn
// of NewTLSListener over TCP whose handshake is done, go to an event loop where there is one, anything else gets a twin;
// Close of such a connection, or of what its NetConn method returns, must not block. early, which is copied, are bytes that were read from nc before: they are received first.
// h may be called before Adopt returns. After an error, which is net.ErrClosed once the Poller is closed, nc is closed
// and h will not be called.
func (p *Poller) Adopt(c *Conn, nc net.Conn, early []byte, h Handler) error {
	if !p.portable && p.loops.carries(nc) {
		return p.loops.adopt(c, nc, early, h)
	}
	return p.adoptTwin(c, nc, early, h)
}

// Len returns how many connections there are: adopted, and Closed not called yet.
func (p *Poller) Len() int { return int(p.count.Load()) }

// Close aborts every connection with net.ErrClosed, and waits until Closed was called for each and every goroutine has
// ended, or until ctx has: then it returns the cause. Later connections are refused.
func (p *Poller) Close(ctx context.Context) error {
	p.loops.close()
	p.twins.close()
	select {
	case <-p.crew.dismiss():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("conn: close: %w", context.Cause(ctx))
	}
}

// crew counts the goroutines that Close waits for. Who hires makes sure that it does not after dismiss, unless one of
// the crew is still at work.
type crew struct {
	mu      sync.Mutex
	working int
	done    chan struct{} // made by dismiss, closed when nobody is at work
}

func (w *crew) hire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.working++
}

func (w *crew) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.working--
	if w.working == 0 && w.done != nil {
		close(w.done)
	}
}

func (w *crew) dismiss() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done == nil {
		w.done = make(chan struct{})
		if w.working == 0 {
			close(w.done)
		}
	}
	return w.done
}
