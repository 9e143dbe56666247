package disk

import (
	"errors"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// committer assigns positions and writes. It is one goroutine, so that what it knows needs no lock, and one batch is
// synced before the next is begun: at its beginning everything in the store is synced.
type committer struct {
	*Engine
	rooms      rooms
	journal    journal
	epochs     [buckets]protocol.Epoch
	records    int    // kept in recordSpace
	turns      uint64 // number of the turn under way
	key, value []byte // memory for encoding
}

// maxTurn is of how many bytes of requests a turn is made at most, unless one of them is larger.
const maxTurn = 4 << 20

// errTurnOver tells that a publication must wait until the turn is committed, since it needs to read what it wrote.
var errTurnOver = errors.New("the turn is over")

// run serves requests until the queue is closed and empty. A failure of the store closes it, too.
func (c *committer) run() {
	for requests := c.queue.take(); len(requests) > 0; requests = c.queue.take() {
		c.serve(requests)
	}
}

// serve does what is asked, in as many turns as it takes.
func (c *committer) serve(requests []request) {
	if c.health.err() != nil {
		c.reject(requests)
		return
	}
	t, size, first := c.begin(), int64(0), 0
	for i := 0; i < len(requests); i++ {
		r := requests[i]
		over := i > first && size+r.size > maxTurn
		if !over {
			o := outcome{request: r}
			o.receipt, o.err = c.do(t, r)
			over = errors.Is(o.err, errTurnOver)
			if !over {
				t.outcomes, size = append(t.outcomes, o), size+r.size
				continue
			}
		}
		ok := c.end(t)
		c.queue.answered(size)
		if !ok {
			c.reject(requests[i:])
			return
		}
		t, size, first = c.begin(), 0, i
		i-- // once more, in the new turn
	}
	c.end(t)
	c.queue.answered(size)
}

// do does what one request asks for.
func (c *committer) do(t *turn, r request) (engine.Receipt, error) {
	switch {
	case c.closing.Load():
		return engine.Receipt{}, engine.ErrClosed
	case r.work != nil:
		return engine.Receipt{}, r.work(c, t)
	case r.publication.Ephemeral:
		return c.pass(t, r.publication.Message)
	}
	return c.publish(t, r.publication)
}

// reject answers requests for which nothing was done.
func (c *committer) reject(requests []request) {
	err := c.health.err()
	for i := range requests {
		requests[i].done(engine.Receipt{}, err)
		c.queue.answered(requests[i].size)
	}
}
