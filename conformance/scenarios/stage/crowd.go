package stage

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// crowd is users who are in a room and say nothing: each has a stream. The zero value is nobody.
type crowd struct {
	mu   sync.Mutex
	ends []func()
}

// come has so many users join a room, and returns when they are in it.
func (c *crowd) come(s *Stage, room string, count int) error {
	for i := range count {
		token, err := Bearer{User: fmt.Sprintf("crowd%03d", i), Lasts: time.Hour}.Token(Secret)
		if err != nil {
			return err
		}
		query := url.Values{"room": {room}, "token": {token}}
		if err := c.join(s.URL + "/sse?" + query.Encode()); err != nil {
			return fmt.Errorf("stage: %d of %d have come to %q: %w", i, count, room, err)
		}
	}
	return nil
}

// join opens a stream, and returns when it says that it is in its room.
func (c *crowd) join(address string) error {
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		cancel()
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		cancel()
		return err
	}
	end := func() {
		cancel()
		_ = answer.Body.Close() // it was cut off
	}
	for lines := bufio.NewReader(answer.Body); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			end()
			return fmt.Errorf("%s: %w", answer.Status, err)
		}
		if strings.HasPrefix(line, "event: ok") {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends = append(c.ends, end)
	return nil
}

// leave has everybody leave.
func (c *crowd) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, end := range c.ends {
		end()
	}
	c.ends = nil
}
