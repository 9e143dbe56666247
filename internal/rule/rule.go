// Package rule holds what is true of the rooms whose name matches a pattern.
package rule

import (
	"encoding/json"
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
	Allow         Allow         // who may do what
	Content       Content       // what clients may publish

	permits *permits // Allow, compiled; set by NewSet
}

// Content bounds what clients publish; what is beyond it gets invalid_data. The zero value bounds nothing.
type Content struct {
	MaxBytes int // of the data, as it was sent, or of a binary payload; 0 = as many as the connection takes
	// MaxCharacters and MaxTextBytes bound the text of a message: data that is a string, or the member "text" of data
	// that is an object. Characters are code points, bytes those of its UTF-8. 0 = no bound.
	MaxCharacters int
	MaxTextBytes  int
	// Validate, if not nil, is asked about data after that; binary payloads are then refused. An error that is a
	// *protocol.Error reaches the client as it is, any other is logged and becomes internal. It may be called at once.
	Validate func(data json.RawMessage) error
}

// Any reports whether c bounds anything.
func (c *Content) Any() bool {
	return c.MaxBytes != 0 || c.MaxCharacters != 0 || c.MaxTextBytes != 0 || c.Validate != nil
}

// Default holds for the rooms that no rule matches.
var Default = Rule{
	Pattern: "**",
	History: engine.Retention{Messages: 1000, Bytes: 4 << 20, Age: 24 * time.Hour},
}
