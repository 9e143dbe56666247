package wireroom_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/metrics"
)

// TestLimitsHoldForSocketIO goes beyond each limit of a connection over Socket.IO, where other code reads and answers.
func TestLimitsHoldForSocketIO(t *testing.T) {
	publish := func(id int) string { return fmt.Sprintf(`42%d["publish",{"room":"r","data":1}]`, id) }
	join := func(id int) string { return fmt.Sprintf(`42%d["join",{"room":"r%[1]d"}]`, id) }
	two := func(request func(int) string) func(e *emitter) string {
		return func(e *emitter) string {
			e.send(request(1))
			e.send(request(2))
			return e.code(2)
		}
	}
	for name, row := range map[string]struct {
		limits wireroom.Limits
		metric string
		want   string // the code of an error, or of the close
		goes   func(e *emitter) string
	}{
		"messages": {wireroom.Limits{PublishRate: never, PublishBurst: 1}, fmt.Sprintf(refusedAs, "message_rate"), "rate_limited", two(publish)},
		"joins":    {wireroom.Limits{JoinRate: never, JoinBurst: 1}, fmt.Sprintf(refusedAs, "join_rate"), "rate_limited", two(join)},
		"bytes":    {wireroom.Limits{ByteRate: never, ByteBurst: 600}, fmt.Sprintf(refusedAs, "byte_rate"), "rate_limited", two(publish)},
		"rooms":    {wireroom.Limits{Rooms: 1}, fmt.Sprintf(refusedAs, "rooms"), "room_limit", two(join)},
		"going on": {wireroom.Limits{PublishRate: never, PublishBurst: 1, Refusals: 5}, fmt.Sprintf(closedAs, "rate"), "4529", func(e *emitter) string {
			for id := range 7 { // one is served, five are told
				e.send(publish(id))
			}
			return fmt.Sprint(e.closed())
		}},
		"the size of a message": {wireroom.Limits{MaxMessage: 1000}, fmt.Sprintf(closedAs, "message_size"), "1009", func(e *emitter) string {
			e.send(`42["x","` + strings.Repeat("x", 1000) + `"]`)
			return fmt.Sprint(e.closed())
		}},
		"parts of a message":  {wireroom.Limits{MaxParts: 3}, fmt.Sprintf(closedAs, "message_parts"), "1008", (*emitter).sendsParts},
		"what is left unread": {wireroom.Limits{PendingBytes: 1000}, fmt.Sprintf(closedAs, "pending_bytes"), "4508", (*emitter).readsNothing},
		"tokens in events":    {wireroom.Limits{AuthAttempts: 2}, fmt.Sprintf(closedAs, "auth_attempts"), "41", (*emitter).guesses},
		"tokens that it shows": {wireroom.Limits{AuthAttempts: 2}, fmt.Sprintf(closedAs, "auth_attempts"), "4401", func(e *emitter) string {
			e.send(`40/b,{"token":"guess"}`)
			e.send(`40/b,{"token":"guess"}`)
			return fmt.Sprint(e.closed())
		}},
		"the length of a name": {wireroom.Limits{}, fmt.Sprintf(refusedAs, "name_length"), "too_large", func(e *emitter) string {
			e.send(`40/b,{"name":"` + strings.Repeat("n", 129) + `"}`)
			return e.refused("/b")
		}},
		"the length of a token": {wireroom.Limits{}, fmt.Sprintf(refusedAs, "token_length"), "too_large", func(e *emitter) string {
			e.send(`40/b,{"token":"` + strings.Repeat("t", 8<<10+1) + `"}`)
			return e.refused("/b")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			eachCarrier(t, func(t *testing.T, o wireroom.Options) {
				numbers := new(metrics.Set)
				o.Limits, o.Metrics, o.SocketIO = row.limits, numbers, wireroom.SocketIO{Namespaces: []string{"b"}}
				o.Auth, o.Anonymous, o.Access = auth.HMAC([]byte("a secret of sixteen bytes")), true, "anyone"
				_, url := start(t, o)
				e := emit(t, url+socketIO, "")
				e.envelope("welcome")
				if got := row.goes(e); got != row.want {
					t.Errorf("met %s, want %s", got, row.want)
				}
				if n, there := value(numbers, row.metric); !there || n != 1 {
					t.Errorf("%s is %d", row.metric, n)
				}
			})
		})
	}
}

// code returns the code with which a request was refused, "ok" if it was not.
func (e *emitter) code(id int) string {
	e.t.Helper()
	for {
		text, ok := strings.CutPrefix(e.packet(), fmt.Sprintf("43%d", id))
		var answers []map[string]any
		if !ok || json.Unmarshal([]byte(text), &answers) != nil {
			continue
		}
		code := outcome(answers[0])
		if after, _ := answers[0]["retry_after"].(float64); (code == "rate_limited") != (after > 0) {
			e.t.Errorf("told %s", text)
		}
		return code
	}
}

// refused returns the code with which a namespace was.
func (e *emitter) refused(namespace string) string {
	e.t.Helper()
	for {
		text, ok := strings.CutPrefix(e.packet(), "44"+namespace+",")
		var told struct{ Data struct{ Code string } }
		if ok && json.Unmarshal([]byte(text), &told) == nil {
			return told.Data.Code
		}
	}
}

// guesses shows tokens to the session that there is, until it is ended.
func (e *emitter) guesses() string {
	e.t.Helper()
	for range 2 {
		e.send(`42["auth",{"token":"guess"}]`)
	}
	for {
		if packet := e.packet(); packet == "41" { // what stops disconnects the namespace
			return packet
		}
	}
}

func (e *emitter) sendsParts() string {
	e.t.Helper()
	w, err := e.conn.Writer(e.t.Context(), websocket.MessageText)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, part := range []string{"42[", `"x"`, "]"} { // each is a frame, and the end is one
		if _, err := io.WriteString(w, part); err != nil {
			e.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		e.t.Fatal(err)
	}
	return fmt.Sprint(e.closed())
}

func (e *emitter) readsNothing() string {
	e.t.Helper()
	for range 10 {
		e.send(`421["publish",{"room":"r","data":"` + strings.Repeat("x", 60_000) + `"}]`)
		e.ack(1)
	}
	for id := range 100 {
		if e.conn.Write(e.t.Context(), websocket.MessageText, fmt.Appendf(nil, `42%d["history",{"room":"r","limit":10}]`, id)) != nil {
			break
		}
	}
	return fmt.Sprint(e.closed())
}

// Namespaces that are not there are no tokens: they have a bound of their own, and each counts for itself.
func TestSocketIOUnknownNamespacesAreNoAttempts(t *testing.T) {
	numbers := new(metrics.Set)
	_, url := start(t, wireroom.Options{
		Metrics: numbers, SocketIO: wireroom.SocketIO{Namespaces: []string{"b"}}, Limits: wireroom.Limits{AuthAttempts: 3},
		Auth: auth.HMAC([]byte("a secret of sixteen bytes")), Anonymous: true, Access: "anyone",
	})
	e := emit(t, url+socketIO, "")
	e.envelope("welcome")
	asks := func(packet, answer string) {
		t.Helper()
		e.send(packet)
		if got := e.packet(); !strings.HasPrefix(got, answer) {
			t.Fatalf("%s is answered with %s", packet, got)
		}
	}
	for i := range 7 { // the eighth in a row ends the connection
		asks(fmt.Sprintf("40/nowhere%d,", i), fmt.Sprintf("44/nowhere%d,", i))
	}
	for range 2 {
		asks(`40/b,{"token":"guess"}`, "44/b,")
	}
	if n, _ := value(numbers, fmt.Sprintf(closedAs, "auth_attempts")); n != 0 {
		t.Errorf("%d are counted after two attempts of three", n)
	}
	e.send(`40/b,{"token":"guess"}`)
	if code := e.closed(); code != 4401 {
		t.Errorf("closed with %d after three", code)
	}
	if n, _ := value(numbers, fmt.Sprintf(closedAs, "auth_attempts")); n != 1 {
		t.Errorf("%d are counted after three", n)
	}
}

// A session that is closed for its guesses takes the connection with it: the next one would begin anew.
func TestSocketIOGuessesEndTheConnection(t *testing.T) {
	_, url := start(t, wireroom.Options{Limits: wireroom.Limits{AuthAttempts: 3}, Auth: auth.HMAC(keptOutSecret), Anonymous: true, Access: "anyone"})
	e := emit(t, url+socketIO, "")
	for range 3 {
		e.send(`42["auth",{"token":"guess"}]`)
	}
	e.isClosedForGuesses()
}

// Only a token that is taken ends a row of tokens that were not: nobody, and no one who is new, tries them for ever on one
// connection by connecting in between.
func TestSocketIOAttemptsInEventsAreOfTheConnection(t *testing.T) {
	_, url := start(t, wireroom.Options{Limits: wireroom.Limits{AuthAttempts: 3}, Auth: auth.HMAC(keptOutSecret), Anonymous: true, Access: "anyone"})
	e := emit(t, url+socketIO, "")
	own, _ := e.envelope("welcome")["token"].(string)
	for range 3 {
		e.send(`42["auth",{"token":"guess"}]`)
		e.send(`42["auth",{"token":"` + own + `"}]`)
		e.send("41")
		e.send("40")
	}
	e.isClosedForGuesses()
}

// isClosedForGuesses reads until the connection is closed, which must be for tokens that were not taken.
func (e *emitter) isClosedForGuesses() {
	e.t.Helper()
	for {
		_, err := e.read()
		var end websocket.CloseError
		if errors.As(err, &end) && end.Code == 4401 {
			return
		}
		if err != nil {
			e.t.Fatal(err)
		}
	}
}

func TestSocketIOAttemptsAreInARowWhoeverConnectsBetween(t *testing.T) {
	secret := []byte("a secret of sixteen bytes")
	_, url := start(t, wireroom.Options{
		SocketIO: wireroom.SocketIO{Namespaces: []string{"b", "c"}}, Limits: wireroom.Limits{AuthAttempts: 3},
		Auth: auth.HMAC(secret), Anonymous: true, Access: "anyone",
	})
	e := emit(t, url+socketIO, "")
	own, _ := e.envelope("welcome")["token"].(string)
	if own == "" {
		t.Fatal("an anonymous user has no token")
	}
	asks := func(packet, answer string) {
		t.Helper()
		e.send(packet)
		for got := e.packet(); !strings.HasPrefix(got, answer); got = e.packet() {
			if !strings.HasPrefix(got, "42") { // the welcome of the one before
				t.Fatalf("%s is answered with %s", packet, got)
			}
		}
	}
	const guess = `40/b,{"token":"guess"}`
	asks(guess, "44/b,")
	asks(guess, "44/b,")
	asks(`40/c,{"token":"`+sign(t, secret, "ann")+`"}`, "40/c,") // the row is over
	asks(guess, "44/b,")
	e.send("41")
	asks("40", "40{")
	asks(guess, "44/b,")
	e.send("41")
	asks(`40{"token":"`+own+`"}`, "40{")
	e.send(`40/b,{"token":"` + signUntil(t, secret, "ann", time.Now().Add(-time.Hour)) + `"}`)
	for {
		packet, err := e.read()
		if err == nil && !strings.HasPrefix(packet, "40/b,") {
			continue
		}
		var end websocket.CloseError
		if !errors.As(err, &end) || end.Code != 4501 || end.Reason != "token_expired" {
			t.Fatalf("after three tokens in a row, the last one of which has expired: %s, %v", packet, err)
		}
		return
	}
}
