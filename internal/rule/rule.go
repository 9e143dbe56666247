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
	Pattern       string // of the whole name: "*" is any run of bytes other than '/' and ':', "**" any run of bytes
	History       engine.Retention
	Delivery      Delivery // Latest implies History.Latest
	NoPresence    bool
	FlushInterval time.Duration // gathers messages for this long before they are delivered, at most MaxFlushInterval; 0 = at once
}

// Default holds for the rooms that no rule matches.
var Default = Rule{
	Pattern: "**",
	History: engine.Retention{Messages: 1000, Bytes: 4 << 20, Age: 24 * time.Hour},
}
