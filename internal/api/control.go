package api

import (
	"math"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// maxControl bounds the body of a request that is no publish, in bytes.
const maxControl = 16 << 10

// Bounds of what is said of a user who is kept out.
const (
	maxReason    = 100                   // bytes: it must fit into a close frame
	maxDuration  = 100 * 365 * 24 * 3600 // seconds
	standardKick = time.Minute
)

// kick puts a user out of a room, for some time.
func (a *API) kick(c *call) ([]byte, *protocol.Error) {
	var body struct {
		Room   string  `json:"room"`
		User   string  `json:"user"`
		Reason string  `json:"reason"`
		For    float64 `json:"for"` // seconds; 0 is a minute
	}
	if err := c.read(&body, maxControl); err != nil {
		return nil, err
	}
	if err := c.room(body.Room); err != nil {
		return nil, err
	}
	duration, err := checkUser(body.User, body.Reason, body.For)
	if err != nil {
		return nil, err
	}
	if duration == 0 {
		duration = standardKick
	}
	return a.done(a.Node.Hub.Kick(c.ctx, body.Room, body.User, body.Reason, duration))
}

// block keeps a user out of this server, for some time or for good.
func (a *API) block(c *call) ([]byte, *protocol.Error) {
	var body struct {
		User   string  `json:"user"`
		Reason string  `json:"reason"`
		For    float64 `json:"for"` // seconds; 0 is for good
	}
	if err := c.read(&body, maxControl); err != nil {
		return nil, err
	}
	duration, err := checkUser(body.User, body.Reason, body.For)
	if err != nil {
		return nil, err
	}
	return a.done(a.Node.Block(c.ctx, body.User, body.Reason, duration))
}

// unblock lets a user in again.
func (a *API) unblock(c *call) ([]byte, *protocol.Error) {
	var body struct {
		User string `json:"user"`
	}
	if err := c.read(&body, maxControl); err != nil {
		return nil, err
	}
	if _, err := checkUser(body.User, "", 0); err != nil {
		return nil, err
	}
	return a.done(a.Node.Unblock(c.ctx, body.User))
}

// revoke makes a token void, or those of a user.
func (a *API) revoke(c *call) ([]byte, *protocol.Error) {
	var body struct {
		Token  string `json:"token"` // its jti
		User   string `json:"user"`
		Before int64  `json:"before"` // Unix milliseconds; 0 is now
		Until  int64  `json:"until"`  // Unix milliseconds; 0 is for good
	}
	if err := c.read(&body, maxControl); err != nil {
		return nil, err
	}
	var until time.Time
	if body.Until != 0 {
		until = time.UnixMilli(body.Until)
	}
	switch {
	case (body.Token == "") == (body.User == ""):
		return nil, fail(protocol.CodeBadRequest, "token", "either a token or a user")
	case body.Token != "" && body.Before != 0:
		return nil, fail(protocol.CodeBadRequest, "before", "before is for the tokens of a user")
	case body.Token != "":
		return a.done(a.Node.RevokeToken(c.ctx, body.Token, until))
	}
	if _, err := checkUser(body.User, "", 0); err != nil {
		return nil, err
	}
	var before time.Time
	if body.Before != 0 {
		before = time.UnixMilli(body.Before)
	}
	return a.done(a.Node.RevokeUser(c.ctx, body.User, before, until))
}

// done answers a request that either worked or did not.
func (a *API) done(err error) ([]byte, *protocol.Error) {
	if err != nil {
		return nil, a.Node.ClientError(err)
	}
	return nil, nil
}

// checkUser checks what is said of a user, and returns for how long it is meant.
func checkUser(user, reason string, seconds float64) (time.Duration, *protocol.Error) {
	switch {
	case user == "" || !protocol.CheckRoom(protocol.Inbox(user)):
		return 0, fail(protocol.CodeBadRequest, "user", "no user has such a name")
	case len(reason) > maxReason:
		return 0, fail(protocol.CodeBadRequest, "reason", "the reason is longer than 100 bytes")
	case math.IsNaN(seconds) || seconds < 0 || seconds > maxDuration:
		return 0, fail(protocol.CodeBadRequest, "for", "a number of seconds, at most a hundred years")
	}
	return time.Duration(math.Ceil(seconds * float64(time.Second))), nil // a time that is too short is not none
}
