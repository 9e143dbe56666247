package hub

import (
	"sync"
	"time"
)

// outageEvery is how often it is logged that the engine does not answer.
const outageEvery = 10 * time.Second

// outage is when it was last logged that the engine does not answer: while it does not, whoever waits for it asks again
// and again.
type outage struct {
	mu   sync.Mutex
	told time.Time
}

// due reports whether it is to be logged now.
func (o *outage) due(now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.told.IsZero() && now.Sub(o.told) < outageEvery {
		return false
	}
	o.told = now
	return true
}

// warn logs that something waits for the engine, for a part of those that do.
func (h *Hub) warn(what string, details ...any) {
	if h.outage.due(time.Now()) {
		h.logger.Warn(what, details...)
	}
}
