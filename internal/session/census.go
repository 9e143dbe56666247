package session

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	countEvery   = time.Second     // while users come and go
	recountEvery = 5 * time.Second // at least
	maxCounted   = 1000            // users that are told of at once
)

// census counts the users of all nodes. Each node tells of its own now and then; what is told of others is as old.
type census struct {
	elsewhere atomic.Int64 // users who are on other nodes alone

	mu      sync.Mutex
	changed map[string]struct{} // users to tell of: whether they are here is seen then
	whole   bool                // all of them are to be told of
}

// note notes that a user came or left.
func (c *census) note(n *Node, user string) {
	if n.Census == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changed == nil {
		c.changed = make(map[string]struct{})
	}
	c.changed[user] = struct{}{}
}

// take returns the users to tell of, and whether they are all.
func (c *census) take(n *Node) (users []string, whole bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if whole = c.whole; whole {
		users = n.users.Held()
	} else {
		for user := range c.changed {
			users = append(users, user)
		}
	}
	c.changed, c.whole = nil, false
	return users, whole
}

// again has all users told of.
func (c *census) again() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.whole = true
}

// Forgotten implements hub.Listener.
func (n *Node) Forgotten() { n.census.again() }

// countLoop tells of this node's users, until the node is stopped.
func (n *Node) countLoop() {
	ticker := time.NewTicker(countEvery)
	defer ticker.Stop()
	var last time.Time
	for {
		select {
		case <-n.ctx.Done():
			return
		case now := <-ticker.C:
			users, whole := n.census.take(n)
			if len(users) == 0 && !whole && now.Sub(last) < recountEvery {
				continue
			}
			last = now
			if err := n.count(users, whole); err != nil {
				n.census.again()
			}
		}
	}
}

// count tells of users.
func (n *Node) count(users []string, whole bool) error {
	for first := true; first || len(users) > 0; first = false {
		part := users[:min(len(users), maxCounted)]
		users = users[len(part):]
		var came, left []string
		for _, user := range part {
			if n.users.Holds(user) {
				came = append(came, user)
			} else {
				left = append(left, user)
			}
		}
		all, here, err := n.Census.CountUsers(n.ctx, came, left, whole && first)
		if err != nil {
			return err
		}
		n.census.elsewhere.Store(int64(max(0, all-here)))
	}
	return nil
}

// Users returns how many users are connected to any node: of the others as of a moment ago.
func (n *Node) Users() int {
	here, _ := n.users.Len()
	return here + int(n.census.elsewhere.Load())
}
