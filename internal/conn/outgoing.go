package conn

// gatherMax bounds what Send gathers in a turn before it writes all the same, and what is copied so that kept bytes
// and new ones go out in one system call: copying this much costs less than a second call.
const gatherMax = 16 << 10

// The methods below need the connection's mutex.

// open reports whether bytes may still be given to c.
func (c *Conn) open() bool {
	return c.carrier != nil && c.state&(finishing|broken|gone) == 0
}

// held returns how many bytes are kept.
func (c *Conn) held() int {
	if c.rare == nil {
		return 0
	}
	n := len(c.rare.rest)
	if c.rare.out != nil {
		n += c.rare.out.len()
	}
	return n
}

// take sends p or keeps it, whatever its size. It reports false when the socket turned out to be broken.
func (c *Conn) take(p []byte) bool {
	if c.state&(gathering|full) == gathering && len(p) <= gatherMax {
		return c.gather(p)
	}
	if c.state&full != 0 {
		c.keep(p)
		return true
	}
	n, err := c.push(p)
	if err != nil {
		c.fail(err)
		return false
	}
	c.keep(p[n:])
	return true
}

// gather keeps p until the turn ends, after sending what would be too much together with it.
func (c *Conn) gather(p []byte) bool {
	if c.held()+len(p) > gatherMax {
		if _, err := c.push(nil); err != nil {
			c.fail(err)
			return false
		}
	}
	c.keep(p)
	return true
}

// push sends what is kept and p behind it, and returns how many bytes of p went out; fewer than all mean that the
// socket is full.
func (c *Conn) push(p []byte) (int, error) {
	if cut, err := c.pushRest(); cut || err != nil {
		return 0, err
	}
	held := c.held()
	if held == 0 {
		return c.give(p)
	}
	together := held+len(p) <= gatherMax
	if together {
		c.keep(p)
	}
	n, err := c.give(c.rare.out.bytes())
	if err != nil {
		return 0, err
	}
	if n < held {
		c.rare.out.skip(n)
		if together {
			c.rare.out.cut(len(p))
		}
		return 0, nil
	}
	c.dropKept()
	if together {
		return n - held, nil
	}
	return c.give(p)
}

// pushRest sends the rest of a frame that was cut, and reports whether it is cut again.
func (c *Conn) pushRest() (cut bool, err error) {
	if c.rare == nil || len(c.rare.rest) == 0 {
		return false, nil
	}
	n, err := c.give(c.rare.rest)
	if err != nil {
		return false, err
	}
	if n < len(c.rare.rest) {
		c.rare.rest = c.rare.rest[n:]
		return true, nil
	}
	c.rare.rest = nil
	c.forget()
	return false, nil
}

// give hands p to the carrier and marks a full socket.
func (c *Conn) give(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := c.carrier.send(c, p)
	if err == nil && n < len(p) {
		c.state |= full
	}
	return n, err
}

// keep copies p behind what is kept.
func (c *Conn) keep(p []byte) {
	if len(p) == 0 {
		return
	}
	pool := &c.carrier.owner().pool
	r := c.remember()
	r.out = pool.grow(r.out, p)
}

// remember returns the rare state, made if there is none.
func (c *Conn) remember() *rare {
	if c.rare == nil {
		c.rare = c.carrier.owner().pool.getRare()
	}
	return c.rare
}

// dropKept gives back what is kept.
func (c *Conn) dropKept() {
	if c.rare == nil {
		return
	}
	c.carrier.owner().pool.put(c.rare.out)
	c.rare.rest, c.rare.out = nil, nil
	c.forget()
}

// forget drops the rare state when it holds nothing.
func (c *Conn) forget() {
	if r := c.rare; r != nil && r.rest == nil && r.out == nil && r.in == nil && r.err == nil {
		c.rare = nil
		c.carrier.owner().pool.putRare(r)
	}
}

// takeIn takes what was received and not taken by the handler, or nil.
func (c *Conn) takeIn() *buffer {
	if c.rare == nil || c.rare.in == nil {
		return nil
	}
	in := c.rare.in
	c.rare.in = nil
	c.forget()
	return in
}

// settle closes the outgoing half once Finish was called and everything is out.
func (c *Conn) settle() {
	if c.state&(finishing|halved|broken|gone) == finishing && c.held() == 0 {
		c.state |= halved
		c.carrier.halfClose(c)
	}
}

// fail breaks the connection for the reason err.
func (c *Conn) fail(err error) {
	c.state |= broken
	c.remember().err = err
	c.dropKept()
	c.carrier.shut(c)
}

// drained is called by the carrier when the socket takes bytes again. It reports whether Writable is to be called.
func (c *Conn) drained() bool {
	if c.state&full == 0 || c.state&(broken|gone) != 0 {
		return false
	}
	c.state &^= full
	if _, err := c.push(nil); err != nil {
		c.fail(err)
		return false
	}
	if c.state&full != 0 {
		return false
	}
	c.settle()
	return c.state&finishing == 0
}

// retire takes c out of use for err, or for the reason that broke it earlier, which it returns.
func (c *Conn) retire(err error) error {
	if c.rare != nil && c.rare.err != nil {
		err = c.rare.err
		c.rare.err = nil
	}
	c.state |= gone
	c.dropKept()
	if in := c.takeIn(); in != nil {
		c.carrier.owner().pool.put(in)
	}
	return err
}

// endTurn ends the gathering that began before Received, and sends what was gathered.
func (c *Conn) endTurn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state &^= gathering
	if c.state&(full|broken|gone) != 0 {
		return
	}
	if c.held() > 0 {
		if _, err := c.push(nil); err != nil {
			c.fail(err)
			return
		}
	}
	c.settle()
}
