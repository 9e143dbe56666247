package wireroom_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/memory"
)

// never is a rate at which nothing more comes while a test runs.
const never = 0.0001

const (
	aPublish = `{"type":"publish","room":"r","data":1,"id":1}`
	aJoin    = `{"type":"join","room":"%s","id":1}`
	aToken   = `{"type":"auth","token":"%s","id":1}`
)

// limits are all limits there are that can be gone beyond, in the order of docs/security.md.
func limits() []beyond {
	return slices.Concat(ratesOfAConnection(), boundsOfAConnection(), limitsOfAUser(), limitsOfAnAddress(), limitsOfANode())
}

func ratesOfAConnection() []beyond {
	in := func(frames ...string) func(*guest) []string {
		return func(g *guest) []string {
			p, _ := g.enters("", nil)
			return g.sends(p, frames...)
		}
	}
	return []beyond{
		{
			"too many messages and reads a second on a connection", "`rate_limited` with `retry_after`", fmt.Sprintf(refusedAs, "message_rate"),
			wireroom.Options{Limits: wireroom.Limits{PublishRate: never, PublishBurst: 1}},
			in(aPublish, aPublish),
		},
		{
			"too many joins and leaves", "`rate_limited` with `retry_after`", fmt.Sprintf(refusedAs, "join_rate"),
			wireroom.Options{Limits: wireroom.Limits{JoinRate: never, JoinBurst: 1}},
			in(fmt.Sprintf(aJoin, "a"), fmt.Sprintf(aJoin, "b")),
		},
		{
			"too many bytes", "`rate_limited` with `retry_after`", fmt.Sprintf(refusedAs, "byte_rate"),
			wireroom.Options{Limits: wireroom.Limits{ByteRate: never, ByteBurst: 600}},
			in(aPublish, aPublish),
		},
		{
			"gone on although it was told", "closed with `4529 rate_limited`", fmt.Sprintf(closedAs, "rate"),
			wireroom.Options{Limits: wireroom.Limits{PublishRate: never, PublishBurst: 1, Refusals: 5}},
			func(g *guest) []string {
				p, _ := g.enters("", nil)
				return g.floods(p, aPublish)
			},
		},
	}
}

func boundsOfAConnection() []beyond {
	secret := []byte("a secret of sixteen bytes")
	return []beyond{
		{
			"too many rooms", "`room_limit`", fmt.Sprintf(refusedAs, "rooms"),
			wireroom.Options{Limits: wireroom.Limits{Rooms: 1}},
			func(g *guest) []string {
				p, _ := g.enters("", nil)
				told := g.sends(p, fmt.Sprintf(aJoin, "a"), fmt.Sprintf(aJoin, "b"))
				for _, path := range []string{"/sse", "/poll"} { // which have a bound of their own
					a := ask(g.t, web(g.url)+path+"?room=r"+strings.Join(strings.Split("0123456789abcdefg", ""), "&room=r"))
					told = append(told, a.header.Get("Wireroom-Error"))
				}
				return told
			},
		},
		{
			"too large a message", "closed with `1009 message too big`", fmt.Sprintf(closedAs, "message_size"),
			wireroom.Options{Limits: wireroom.Limits{MaxMessage: 1000}},
			func(g *guest) []string {
				p, _ := g.enters("", nil)
				p.send(strings.Repeat("x", 1001))
				return g.ends(p)
			},
		},
		{
			"a message in too many parts", "closed with `1008 too many fragments`", fmt.Sprintf(closedAs, "message_parts"),
			wireroom.Options{Limits: wireroom.Limits{MaxParts: 3}},
			sendsParts,
		},
		{
			"too much of the replies left unread", "closed with `4508 slow_consumer`", fmt.Sprintf(closedAs, "pending_bytes"),
			wireroom.Options{Limits: wireroom.Limits{PendingBytes: 1000}},
			readsNothing,
		},
		{
			"too many tokens that are not taken", "closed with `4401 unauthorized`", fmt.Sprintf(closedAs, "auth_attempts"),
			wireroom.Options{Auth: auth.HMAC(secret), Limits: wireroom.Limits{AuthAttempts: 2}},
			func(g *guest) []string {
				p, _ := g.enters("", nil)
				return g.floods(p, fmt.Sprintf(aToken, "guess"))
			},
		},
		{
			"too long a name", "`400`; a page `4400 too_large`; in a message `too_large`", fmt.Sprintf(refusedAs, "name_length"),
			wireroom.Options{},
			func(g *guest) []string {
				p, _ := g.enters("", nil)
				long := strings.Repeat("n", 129)
				return append(g.both("name="+long, nil), g.sends(p, `{"type":"auth","name":"`+long+`","id":1}`)...)
			},
		},
		{
			"too long a token", "`400`; a page `4400 too_large`; in a message `too_large`", fmt.Sprintf(refusedAs, "token_length"),
			wireroom.Options{Auth: auth.HMAC(secret)},
			func(g *guest) []string {
				p, _ := g.enters("", nil)
				return append(g.both("token="+strings.Repeat("t", 8<<10+1), nil), g.sends(p, fmt.Sprintf(aToken, strings.Repeat("t", 8<<10+1)))...)
			},
		},
	}
}

// sendsParts sends a message in one frame more than it may have.
func sendsParts(g *guest) []string {
	p, _ := g.enters("", nil)
	w, err := p.conn.Writer(g.t.Context(), websocket.MessageText)
	if err != nil {
		g.t.Fatal(err)
	}
	for range 3 { // each is a frame, and the end is one
		if _, err := io.WriteString(w, "x"); err != nil {
			g.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		g.t.Fatal(err)
	}
	return g.ends(p)
}

// readsNothing asks for much more than sockets hold, and only then reads.
func readsNothing(g *guest) []string {
	p, _ := g.enters("", nil)
	for range 10 {
		p.send(`{"type":"publish","room":"r","data":"` + strings.Repeat("x", 60_000) + `","id":1}`)
		p.expect("ok")
	}
	for range 100 {
		if p.conn.Write(g.t.Context(), websocket.MessageText, []byte(`{"type":"history","room":"r","limit":10,"id":1}`)) != nil {
			break
		}
	}
	return g.ends(p)
}

func limitsOfAUser() []beyond {
	// Two connections of a user take turns, so that neither goes beyond its own limit.
	turns := func(g *guest) []string {
		one, welcome := g.enters("", nil)
		two := g.again(welcome)
		for _, p := range []*peer{one, two} {
			p.send(aPublish)
			p.expect("ok")
		}
		return g.sends(one, aPublish)
	}
	returns := func(g *guest) []string {
		_, welcome := g.enters("", nil)
		return g.both("token="+welcome["token"].(string), nil)
	}
	return []beyond{
		{
			"too many messages of a user", "`rate_limited` with `retry_after`", fmt.Sprintf(refusedAs, "user_message_rate"),
			wireroom.Options{Limits: wireroom.Limits{PublishRate: never, PublishBurst: 2, User: wireroom.UserLimits{Factor: 1}}},
			turns,
		},
		{
			"too many bytes of a user", "`rate_limited` with `retry_after`", fmt.Sprintf(refusedAs, "user_byte_rate"),
			wireroom.Options{Limits: wireroom.Limits{ByteRate: never, ByteBurst: 1200, User: wireroom.UserLimits{Factor: 1}}},
			turns,
		},
		{
			"too many connections of a user", "`429`; a page `4529 connection_limit`", fmt.Sprintf(refusedAs, "user_connections"),
			wireroom.Options{Limits: wireroom.Limits{User: wireroom.UserLimits{Connections: 1}}},
			returns,
		},
		{
			"too many new connections of a user", "`429`; a page `4529 rate_limited`", fmt.Sprintf(refusedAs, "user_connect_rate"),
			wireroom.Options{Limits: wireroom.Limits{User: wireroom.UserLimits{ConnectRate: never, ConnectBurst: 1}}},
			returns,
		},
		{
			"connections closed for going on, again and again, of a user", "`429` for `block_time`; a page `4529 rate_limited`",
			fmt.Sprintf(blockedAs, "user") + ", " + fmt.Sprintf(refusedAs, "user_blocked"),
			wireroom.Options{Limits: wireroom.Limits{PublishRate: never, PublishBurst: 1, Refusals: 2, BlockTime: time.Hour}},
			func(g *guest) []string {
				p, welcome := g.enters("", nil)
				g.floods(p, aPublish)
				for range 3 {
					g.floods(g.again(welcome), aPublish)
				}
				return g.both("token="+welcome["token"].(string), nil)
			},
		},
	}
}

// behindProxy are options whose clients come from other machines, by the word of a proxy on this one.
func behindProxy(l wireroom.Limits) wireroom.Options {
	return wireroom.Options{
		Limits: l, TrustedProxies: []string{"127.0.0.1"}, Insecure: true, Anonymous: true, Access: "anyone",
		Auth: auth.HMAC([]byte("a secret of sixteen bytes")),
	}
}

func limitsOfAnAddress() []beyond {
	returns := func(g *guest) []string {
		g.enters("", afar())
		return g.both("", afar())
	}
	return []beyond{
		{
			"too many connections of an address", "`429`", fmt.Sprintf(refusedAs, "address_connections"),
			behindProxy(wireroom.Limits{Address: wireroom.AddressLimits{Connections: 1}}), returns,
		},
		{
			"too many new connections of an address", "`429`", fmt.Sprintf(refusedAs, "address_connect_rate"),
			behindProxy(wireroom.Limits{Address: wireroom.AddressLimits{ConnectRate: never, ConnectBurst: 1}}), returns,
		},
		{
			"too many requests over HTTP of an address", "`429 rate_limited`", fmt.Sprintf(refusedAs, "address_request_rate"),
			behindProxy(wireroom.Limits{Address: wireroom.AddressLimits{RequestRate: never, RequestBurst: 1}}),
			func(g *guest) []string {
				g.posts()
				return []string{g.posts()}
			},
		},
		{
			"too many tokens of an address that are not taken", "`429`", fmt.Sprintf(refusedAs, "address_auth_failures"),
			behindProxy(wireroom.Limits{Address: wireroom.AddressLimits{FailureRate: never, FailureBurst: 1}}),
			func(g *guest) []string {
				if first := g.meets("token=guess", afar()); first != "401" {
					g.t.Errorf("the first guess: %s", first)
				}
				return g.both("token=guess", afar())
			},
		},
		{
			"connections closed for going on, again and again, of an address", "`429` for `block_time`",
			fmt.Sprintf(blockedAs, "address") + ", " + fmt.Sprintf(refusedAs, "address_blocked"),
			behindProxy(wireroom.Limits{PublishRate: never, PublishBurst: 1, Refusals: 2, BlockTime: time.Hour}),
			func(g *guest) []string {
				for range 4 { // each of another user
					p, _ := g.enters("", afar())
					g.floods(p, aPublish)
				}
				// The address is told of the last one's end once the connection is gone.
				await(g.t, "the block", func() bool { return g.meets("", afar()) != "in" })
				return g.both("", afar())
			},
		},
	}
}

// posts sends a request over HTTP and returns its status, and what it says.
func (g *guest) posts() string {
	g.t.Helper()
	a := post(g.t, web(g.url)+"/send", aPublish, "X-Forwarded-For", "192.0.2.7")
	if a.status == http.StatusTooManyRequests && a.header.Get("Retry-After") == "" {
		g.t.Error("429 without Retry-After")
	}
	return fmt.Sprint(a.status, " ", a.header.Get("Wireroom-Error"))
}

func limitsOfANode() []beyond {
	return []beyond{
		{
			"come when there are as many connections as may be", "`503`", fmt.Sprintf(refusedAs, "connections"),
			wireroom.Options{Limits: wireroom.Limits{Connections: 1}},
			func(g *guest) []string {
				g.enters("", nil)
				return g.both("", nil)
			},
		},
		{
			"published when publishes wait for too long", "`overloaded` with `retry_after`", fmt.Sprintf(refusedAs, "overloaded"),
			wireroom.Options{Engine: new(stuck), Limits: wireroom.Limits{PublishWait: time.Millisecond, PublishRate: -1}},
			func(g *guest) []string {
				p, _ := g.enters("", nil)
				told := make(chan string, 1)
				go func() { told <- g.hears(p) }()
				for {
					select {
					case code := <-told:
						return []string{code}
					case <-time.After(10 * time.Millisecond): // two looks must find that they wait
						p.send(aPublish)
					}
				}
			},
		},
		{
			"come from a page of another origin", "`403`", fmt.Sprintf(refusedAs, "origin"),
			wireroom.Options{},
			func(g *guest) []string { return []string{g.meets("", http.Header{"Origin": {"https://evil.example"}})} },
		},
		{
			"shown a token that is not taken", "`401`; a page `4401 unauthorized`", fmt.Sprintf(refusedAs, "credentials"),
			wireroom.Options{Auth: auth.HMAC([]byte("a secret of sixteen bytes"))},
			func(g *guest) []string { return g.both("token=guess", nil) },
		},
	}
}

// stuck is an engine that answers no publish before it is closed. It is not inline.
type stuck struct {
	engine.Engine
	mu   sync.Mutex
	held []func()
}

func newStuck() *stuck { return &stuck{Engine: memory.New(memory.Options{})} }

func (s *stuck) Publish(_ context.Context, _ *engine.Publication, done func(engine.Receipt, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = append(s.held, func() { done(engine.Receipt{}, engine.ErrClosed) })
}

func (s *stuck) Close(ctx context.Context) error {
	s.mu.Lock()
	held := s.held
	s.held = nil
	s.mu.Unlock()
	for _, done := range held {
		done()
	}
	return s.Engine.Close(ctx)
}
