package bench

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Options say what a load test does. Check fills in what is left out.
type Options struct {
	Scenario    string   // one of Scenarios
	Servers     []string // URLs, shared by the connections in turn: ws, wss, http or https
	Speak       string   // one of Dialects
	Connections int
	Rooms       int     // the clients are spread over; default: the scenario's
	Prefix      string  // of the rooms' names; default: one that is new
	Payload     int     // bytes of a message's data; at least MinPayload
	Rate        float64 // publications a second, all together; 0: a window
	Window      int     // publications outstanding, all together (echo: of each connection); 0 with a Rate
	Publishers  int     // members of each room that publish, in turn; 0: all
	Replies     bool    // ask for the reply to each publish
	Presence    bool    // join with presence
	Compress    bool    // ask for permessage-deflate
	Ramp        float64 // connections a second; 0: as fast as they come
	Stay        time.Duration
	Stalled     float64 // share of the clients that stop reading for a while
	Warmup      time.Duration
	Duration    time.Duration
	Settle      time.Duration // how long to wait for what is still to come
	Token       string
	Sources     []netip.Addr // local addresses to connect from
	Processes   int          // 0: as many as the descriptors take
	PIDs        []int        // of the servers' processes on this machine, one for each server; none: unknown
	Insecure    bool         // take any certificate
}

// MinPayload is the size of the smallest payload: it carries the time and the number of its publication.
const MinPayload = headerLen + 2

// The defaults of Options.
const (
	DefaultConnections = 1000
	DefaultPayload     = 128
	DefaultDuration    = 10 * time.Second
	DefaultSettle      = 5 * time.Second
	DefaultStay        = 10 * time.Second
	DefaultStalled     = 0.1
)

// Check fills in what is left out, and returns what is wrong.
func (o *Options) Check() error {
	s, ok := scenarioNamed(o.Scenario)
	switch {
	case !ok:
		return fmt.Errorf("there is no scenario %q: %v", o.Scenario, Scenarios())
	case min(o.Connections, o.Rooms, o.Window, o.Publishers, o.Processes) < 0 || min(o.Warmup, o.Duration, o.Settle, o.Stay) < 0:
		return errors.New("a number or a duration is negative")
	case !isRate(o.Rate) || !isRate(o.Ramp):
		return errors.New("a rate is a number, and not negative")
	case !(o.Stalled >= 0 && o.Stalled <= 1):
		return errors.New("the share of stalled readers is a number from 0 to 1")
	case max(o.Warmup, o.Duration, o.Settle) > maxTest || o.Warmup+o.Duration+o.Settle > maxTest:
		return fmt.Errorf("a test takes at most %v", maxTest)
	case o.Rate > 0 && o.Window > 0:
		return errors.New("either a rate or a window")
	}
	o.fill(s)
	if o.Payload < MinPayload {
		return fmt.Errorf("a payload has at least %d bytes", MinPayload)
	}
	if !slices.Contains(Dialects(), o.Speak) {
		return fmt.Errorf("there is no dialect %q: %v", o.Speak, Dialects())
	}
	if o.Speak == speakEcho && s.name != scenarioEcho {
		return errors.New("the dialect echo has no rooms: its scenario is echo")
	}
	if s.mustReturn && o.Speak != speakNative {
		return fmt.Errorf("the scenario %s needs the native dialect", s.name)
	}
	if o.Compress && o.Speak == speakSSE {
		return errors.New("compression is of WebSocket: Server-Sent Events have none here")
	}
	if len(o.Prefix) > maxPrefix || strings.Trim(o.Prefix, roomCharacters) != "" || o.Prefix[0] == '@' {
		return fmt.Errorf("rooms' names begin with at most %d of the characters %s", maxPrefix, roomCharacters)
	}
	if err := o.checkServers(); err != nil {
		return err
	}
	if n := len(o.PIDs); n > 0 && n != len(o.Servers) {
		return fmt.Errorf("%d process ids for %d servers: one each is wanted", n, len(o.Servers))
	}
	o.PIDs = slices.Compact(slices.Sorted(slices.Values(o.PIDs))) // servers may share one
	return nil
}

const (
	maxTest        = 72 * time.Hour // the times in payloads go a little further
	maxPrefix      = 180            // bytes; a room's number follows
	roomCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_:.-/=+~@"
)

func isRate(v float64) bool { return v >= 0 && !math.IsInf(v, 0) }

func (o *Options) fill(s scenario) {
	orDefault(&o.Speak, speakNative)
	orDefault(&o.Connections, DefaultConnections)
	orDefault(&o.Rooms, s.rooms(o.Connections))
	orDefault(&o.Payload, DefaultPayload)
	orDefault(&o.Duration, DefaultDuration)
	orDefault(&o.Settle, DefaultSettle)
	orDefault(&o.Stay, DefaultStay)
	o.Rooms = min(o.Rooms, o.Connections)
	// What was under way when a connection ended may or may not be stored; what is published by HTTP is answered anyway.
	o.Replies = o.Replies || s.storms || s.returns || o.Speak == speakSSE
	if s.stalls {
		orDefault(&o.Stalled, DefaultStalled)
	} else {
		o.Stalled = 0
	}
	switch {
	case s.silent:
		o.Rate, o.Window = 0, 0
	case o.Rate == 0 && o.Window == 0:
		o.Rate, o.Window = s.rate, s.window
	}
	if o.Prefix == "" {
		o.Prefix = fmt.Sprintf("bench-%x", time.Now().UnixNano()/int64(time.Millisecond)&0xffffffff)
	}
	if len(o.Servers) == 0 {
		o.Servers = []string{"ws://127.0.0.1:8080/ws"}
		if o.Speak == speakSSE {
			o.Servers = []string{"http://127.0.0.1:8080/sse"}
		}
		if o.Speak == speakSIO {
			o.Servers = []string{"ws://127.0.0.1:8080/socket.io/"}
		}
	}
}

func (o *Options) checkServers() error {
	for _, server := range o.Servers {
		u, err := url.Parse(server)
		if err != nil {
			return fmt.Errorf("server: %w", err)
		}
		web := u.Scheme == "http" || u.Scheme == "https"
		if u.Host == "" || !web && u.Scheme != "ws" && u.Scheme != "wss" {
			return fmt.Errorf("server %q: a URL is wanted, such as ws://127.0.0.1:8080/ws", server)
		}
		if web != (o.Speak == speakSSE) {
			return fmt.Errorf("server %q: Server-Sent Events come from http:// or https://, everything else from ws:// or wss://", server)
		}
	}
	return nil
}

// orDefault sets what is zero.
func orDefault[T comparable](value *T, other T) {
	var zero T
	if *value == zero {
		*value = other
	}
}
