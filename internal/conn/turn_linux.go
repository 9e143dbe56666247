package conn

import (
	"io"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// work runs turns until the loop is closed and empty.
func (l *loop) work() {
	defer l.poller.crew.leave()
	defer l.release()
	l.events = make([]unix.EpollEvent, batchSize)
	l.buffer = make([]byte, bufferSize)
	look := l.poll
	for {
		if err := l.raw.Read(look); err != nil {
			l.poller.logger.Error("event loop ended", "error", err)
			return
		}
		l.pace.begin(l.poller.clock())
		over := !l.turn()
		l.pace.end(l.poller.clock())
		if over {
			return
		}
	}
}

// poll looks for something to do, and has Go's poller wait for the epoll descriptor when it returns false. Go's poller
// hears of a change between the look and the wait too.
func (l *loop) poll(uintptr) bool {
	n, errno := epollWait(l.epoll, l.events)
	if errno != 0 {
		l.poller.logger.Error("epoll_wait failed", "error", errno)
	}
	l.arrived = n
	if n > 0 || len(l.run) > 0 {
		return true
	}
	b := &l.inbox
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asleep = len(b.queue) == 0 && !b.over()
	return !b.asleep
}

// turn serves every connection that has something to do, once. It reports false when the loop is over.
func (l *loop) turn() bool {
	if l.collect() {
		return false
	}
	l.run, l.spare = l.spare[:0], l.run
	for _, c := range l.spare {
		c.seen &^= listed
		l.serve(c)
	}
	clear(l.spare)
	l.poller.turnEnd()
	for _, c := range l.touched {
		c.endTurn()
	}
	clear(l.touched)
	l.touched = l.touched[:0]
	l.closeDead()
	// Without this a busy loop would keep its processor from everybody else until it is preempted.
	runtime.Gosched()
	return true
}

// collect lists the connections for this turn. It reports whether the loop is over.
func (l *loop) collect() bool {
	for i := range l.events[:l.arrived] {
		l.note(&l.events[i])
	}
	b := &l.inbox
	b.mu.Lock()
	l.fetched, b.queue = b.queue, l.fetched[:0]
	b.asleep = false
	over := b.over()
	b.mu.Unlock()
	for _, c := range l.fetched {
		l.list(c)
	}
	clear(l.fetched)
	return over
}

// note remembers what an event says.
func (l *loop) note(event *unix.EpollEvent) {
	c := l.poller.loops.table.get(int(event.Fd))
	if c == nil {
		return // the bell
	}
	if event.Events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		c.seen |= readable
	}
	if event.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		c.seen |= ending
	}
	if event.Events&unix.EPOLLOUT != 0 {
		c.seen |= writable
	}
	if event.Events&unix.EPOLLERR != 0 {
		c.seen |= failed
	}
	l.list(c)
}

// list has c served in the next turn.
func (l *loop) list(c *Conn) {
	if c.seen&listed == 0 {
		c.seen |= listed
		l.run = append(l.run, c)
	}
}

// serve does what there is to do for c: at most one call of each method of its handler.
func (l *loop) serve(c *Conn) {
	if c.fd < 0 {
		return
	}
	tell, in, end := l.look(c)
	if tell {
		c.handler.Writable()
		_, in, end = l.look(c) // Writable may have called Abort
	}
	if end {
		l.bury(c, io.EOF)
		return
	}
	if in != nil {
		l.again(c, in)
		return
	}
	if c.seen&paused == 0 && c.seen&readable != 0 {
		l.read(c)
		return
	}
	if c.seen&failed != 0 {
		l.bury(c, socketError(int(c.fd))) // a paused connection would not read up to the error
	}
}

// look takes what other goroutines and epoll left for c: whether to call Writable, which comes before anything else,
// bytes to hand over again, and whether the connection is broken.
func (l *loop) look(c *Conn) (tell bool, in *buffer, end bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state&broken != 0 {
		return false, nil, true
	}
	if c.seen&writable != 0 {
		c.seen &^= writable
		if c.flushed() && c.drained() {
			return true, nil, false
		}
	}
	if c.state&resumed != 0 {
		c.state &^= resumed
		c.seen &^= paused
	}
	if c.seen&paused != 0 {
		return false, nil, false
	}
	in = c.takeIn()
	if (in != nil || c.seen&readable != 0) && c.state&gathering == 0 {
		c.state |= gathering
		l.touched = append(l.touched, c)
	}
	return false, in, false
}

// flushed has a tunnel send what it keeps, and reports whether the socket takes more; the mutex is held.
func (c *Conn) flushed() bool {
	t, ok := c.carrier.(*tunnel)
	return !ok || c.state&(broken|gone) == 0 && t.flush(c)
}

// again hands over the rest of earlier bytes.
func (l *loop) again(c *Conn, in *buffer) {
	n := c.received(in.bytes())
	in.skip(n)
	if in.len() > 0 {
		l.pause(c, in)
		return
	}
	l.poller.pool.put(in)
	if c.seen&readable != 0 {
		l.list(c)
	}
}

// read reads at most one buffer; a connection that may have more is listed for the next turn.
func (l *loop) read(c *Conn) {
	if t, ok := c.carrier.(*tunnel); ok {
		l.readTunnel(c, t)
		return
	}
	n, errno := receive(int(c.fd), l.buffer)
	if errno == syscall.EAGAIN {
		c.seen &^= readable | ending | failed
		return
	}
	if errno != 0 {
		l.bury(c, os.NewSyscallError("read", errno))
		return
	}
	if n == 0 {
		l.bury(c, io.EOF)
		return
	}
	if n == len(l.buffer) || c.seen&ending != 0 {
		l.list(c)
	} else {
		c.seen &^= readable // a short read has emptied the socket (epoll(7), question 9); what comes next is a new event
	}
	took := c.received(l.buffer[:n])
	if took < n {
		l.pause(c, l.poller.pool.grow(nil, l.buffer[took:n]))
	}
}

// pause keeps what the handler did not take until Resume.
func (l *loop) pause(c *Conn, rest *buffer) {
	c.seen |= paused
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remember().in = rest
}

// bury ends c for err, or for the reason for which it was broken, and has its descriptor closed after the turn.
func (l *loop) bury(c *Conn, err error) {
	fd := int(c.fd)
	err = c.reap(err)
	l.dead = append(l.dead, fd)
	l.leave()
	c.handler.Closed(err)
}

// reap takes the descriptor from c. What was gathered goes out, if the socket takes it: the peer may have closed only
// its sending half.
func (c *Conn) reap(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	ended := err == io.EOF && c.state&broken == 0
	if ended && c.state&full == 0 {
		_, _ = c.push(nil)
	}
	if t, ok := c.carrier.(*tunnel); ok {
		t.end(ended)
	}
	err = c.retire(err)
	c.fd = -1
	return err
}

// closeDead closes the descriptors of this turn's dead.
func (l *loop) closeDead() {
	for _, fd := range l.dead {
		l.poller.loops.table.set(fd, nil)
		// A duplicate of the socket elsewhere would keep it registered.
		_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, fd, nil)
		limitSilence(fd) // what a dead peer will never fetch does not stay in the kernel
		_ = unix.Close(fd)
	}
	l.dead = l.dead[:0]
}
