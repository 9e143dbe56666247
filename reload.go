package wireroom

import (
	"fmt"

	"github.com/wireroom/wireroom/internal/rule"
)

// Changes are what Reload replaces, each as in Options.
type Changes struct {
	Rules           []Rule
	Access          Access
	Origins         []string
	TrustedProxies  []string
	ForwardedHeader string
	Cookie          string
	APIKeys         []APIKey
	Limits          Limits // but for PendingBytes and AuthTimeout, which stay
}

// Reload replaces settings while the server serves. With an error, which names what is wrong, everything stays as it
// was. What holds for requests holds from the next one on; members that the new rules do not allow are put out of
// their rooms. A room that is open keeps Rule.Delivery and Rule.NoPresence until it has been empty for 10 seconds.
func (s *Server) Reload(c Changes) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	o := s.options
	o.Origins, o.TrustedProxies, o.ForwardedHeader = c.Origins, c.TrustedProxies, c.ForwardedHeader
	o.Rules, o.Access, o.Cookie = c.Rules, c.Access, c.Cookie
	o.Limits = c.Limits.withDefaults()
	rules, err := rule.NewSet(o.Rules, o.access())
	if err != nil {
		return fmt.Errorf("wireroom: reload: %w", err)
	}
	policy, err := o.policy()
	if err != nil {
		return fmt.Errorf("wireroom: reload: %w", err)
	}
	if err := s.api.SetKeys(c.APIKeys); err != nil {
		return fmt.Errorf("wireroom: reload: APIKeys: %w", err)
	}
	s.api.SetMaxMessage(o.Limits.MaxMessage)
	s.hub.SetRules(rules)
	s.gate.Reload(policy)
	s.node.SetLimits(o.Limits.session())
	s.websocket.SetLimits(o.Limits.MaxMessage, o.Limits.MaxParts)
	s.others.send.SetMaxMessage(o.Limits.MaxMessage)
	s.engines.setLimits(o.Limits.MaxMessage, o.Limits.MaxParts)
	s.websocket.Recheck()
	s.others.recheck()
	s.engines.recheck()
	return nil
}
