// Package rule holds what is true of the rooms whose name matches a pattern.
package rule

import (
	"time"

	"github.com/wireroom/wireroom/engine"
)

// Delivery says what a member gets that fell behind further than the log reaches.
type Delivery uint8

// The deliveries.
const (
	Every  Delivery = iota // every message, or a gap
	Latest                 // the newest message per event, never the backlog
)

// Rule holds for the rooms whose name matches Pattern.
type Rule struct {
	Pattern       string // segments by "/" or ":"... "*" within one segment, "**" any rest
	History       engine.Retention
	Delivery      Delivery
	NoPresence    bool
	FlushInterval time.Duration // gathers messages for this long before they are delivered; 0 = at once
}

// Default holds for the rooms that no rule matches.
var Default = Rule{
	Pattern: "**",
	History: engine.Retention{Messages: 1000, Bytes: 4 << 20, Age: 24 * time.Hour},
}
