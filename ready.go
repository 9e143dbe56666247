package wireroom

import (
	"errors"
	"net/http"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/hub"
)

// unready is why clients should be sent elsewhere.
type unready struct {
	said  string // to anybody
	cause error  // in the engine's own words, which may name what is not everybody's business; nil: nothing more is known
}

// String returns all of it.
func (u *unready) String() string {
	if u.cause == nil {
		return u.said
	}
	return u.said + ": " + u.cause.Error()
}

// notReady returns why clients should be sent elsewhere, or nil.
func (s *Server) notReady() *unready {
	if s.draining.Load() {
		return &unready{said: "draining"}
	}
	if h, ok := s.options.Engine.(engine.Health); ok {
		if err := h.Health(); err != nil {
			return &unready{"the engine stores nothing", err}
		}
	}
	err := s.hub.Ready()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, hub.ErrStalled):
		return &unready{said: err.Error()}
	}
	return &unready{"no message comes back from the engine", err}
}

// Readiness returns a handler that answers as ServeHTTP does at /readyz, and says besides what the engine says: why it
// stores nothing, and what an operator should know of it while it does. That may name hosts and files, so it is for a
// listener that only administrators reach.
func (s *Server) Readiness() http.Handler { return s.readiness(true) }

// readiness answers whether clients should be sent here.
func (s *Server) readiness(details bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		why := s.notReady()
		caution := ""
		if e, ok := s.options.Engine.(engine.Caution); ok && details {
			caution = e.Caution()
		}
		switch {
		case why != nil && details:
			say(w, http.StatusServiceUnavailable, why.String())
		case why != nil:
			say(w, http.StatusServiceUnavailable, why.said)
		case caution != "":
			say(w, http.StatusOK, "ok\nwarning: "+caution)
		default:
			say(w, http.StatusOK, "ok")
		}
	}
}
