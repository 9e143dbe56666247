package wireroom_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/wireroomtest"
)

func TestABodyThatDoesNotComeIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := wireroomtest.Start(t, wireroom.Options{})
		conn, err := s.DialContext(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		began := time.Now()
		_, _ = io.WriteString(conn, "POST /send HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || response.StatusCode != http.StatusRequestTimeout || time.Since(began) != 10*time.Second {
			t.Fatalf("%v, %v after %v", response, err, time.Since(began))
		}
	})
}

func TestABodyThatIsTooLargeIsRefusedByItsLength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := wireroomtest.Start(t, wireroom.Options{})
		conn, err := s.DialContext(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "POST /send HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n")
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || response.StatusCode != http.StatusRequestEntityTooLarge {
			t.Fatalf("%v, %v", response, err)
		}
		time.Sleep(time.Second) // net/http lets the answer arrive before it hangs up
	})
}

func TestAUserHasSoManyStreamsAndPolls(t *testing.T) {
	secret := []byte("a secret of sixteen bytes")
	server, url := start(t, wireroom.Options{
		Access: "signed-in", Auth: auth.HMAC(secret), Limits: wireroom.Limits{User: wireroom.UserLimits{Connections: 3}},
	})
	query := "?room=a&token=" + sign(t, secret, "alice")
	for range 2 {
		s := stream(t, web(url)+"/sse"+query)
		s.expect("welcome")
		s.expect("ok")
	}
	p := poll(t, web(url)+"/poll"+query+clientName)
	s := stream(t, web(url)+"/sse"+query)
	if e, err := s.next(); err != nil || e.name != "failure" || e.envelope["code"] != "rate_limited" || e.retry != "60000" {
		t.Fatalf("the fourth got %+v, %v", e, err)
	}
	s.ends()
	publish(t, server, "a", 1)
	if p = poll(t, web(url)+"/poll"+query+clientName+"&cursor="+encode(p.Cursor)); p.types() != "message" {
		t.Fatalf("who is in already got %v", p)
	}
	if p = poll(t, web(url)+"/poll"+query); p.types() != "error" || p.Messages[0]["code"] != "rate_limited" {
		t.Fatalf("another client got %v", p)
	}
}

func TestPollersOfOneUserAreBounded(t *testing.T) {
	secret := []byte("a secret of sixteen bytes")
	server, url := start(t, wireroom.Options{Access: "signed-in", Auth: auth.HMAC(secret)})
	for i := range 100 {
		poll(t, web(url)+"/poll?room=a&token="+sign(t, secret, "alice")+"&client="+strings.Repeat("c", 16+i%48)+string(rune('a'+i/48)))
	}
	if sessions, _ := server.Counts(); sessions > 33 {
		t.Fatalf("%d sessions stay", sessions)
	}
}

func TestNothingOfAClientEndsALine(t *testing.T) {
	secret := []byte("a secret of sixteen bytes")
	server, url := start(t, wireroom.Options{Access: "signed-in", Auth: auth.HMAC(secret)})
	s := stream(t, web(url)+"/sse?room=a&token="+sign(t, secret, "mal\r\n\r\nevent: gap\n\nid: x\x00"))
	s.expect("welcome")
	s.expect("ok")
	for _, body := range []string{
		"{\"type\":\"publish\",\"room\":\"a\",\"event\":\"x\\r\\nid: evil\",\"key\":\"\\n\\n\",\"data\":{\r\n\r\n\"event\"\n:\r\"gap\\n\"}}",
		"{\"type\":\"publish\",\"room\":\"a\",\r\n\"data\":\"\\u2028\\u0000\"}",
	} {
		a := post(t, web(url)+"/send?token="+sign(t, secret, "mal\nid: x"), body)
		if !strings.HasPrefix(a.body, `{"type":"ok"`) {
			t.Fatal(a.body)
		}
		if e := s.expect("message"); !strings.HasPrefix(e.id, "a=") || strings.Contains(e.id, "evil") {
			t.Fatalf("got %+v", e)
		}
	}
	publish(t, server, "a", "the last")
	if s.message() != "the last" {
		t.Fatal("something came between")
	}
}
