package wireroom_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
)

// TestWhoGuessesTokensIsRefused has one address send a few bad tokens on each of many connections, fewer than end one.
func TestWhoGuessesTokensIsRefused(t *testing.T) {
	for _, client := range []struct{ path, hello, token, answer string }{
		{"/ws", `{"type":"auth_required",`, `{"type":"auth","token":"guess"}`, `{"type":"error","of":"auth","code":"unauthorized",`},
		{"/socket.io/?EIO=4&transport=websocket", `0{`, `40{"token":"guess"}`, `44{`},
	} {
		t.Run(client.path, func(t *testing.T) {
			_, url := start(t, wireroom.Options{
				Auth: auth.HMAC([]byte("a secret of sixteen bytes")), Insecure: true, TrustedProxies: []string{"127.0.0.1"},
				Limits: wireroom.Limits{Address: wireroom.AddressLimits{FailureRate: 0.001, FailureBurst: 20}},
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			for range 30 {
				conn, answer, err := websocket.Dial(ctx, url+client.path, &websocket.DialOptions{HTTPHeader: http.Header{"X-Forwarded-For": {"192.0.2.7"}}})
				if answer != nil && answer.StatusCode == http.StatusTooManyRequests {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				hears(t, conn, client.hello)
				for range 4 {
					if err := conn.Write(ctx, websocket.MessageText, []byte(client.token)); err != nil {
						t.Fatal(err)
					}
					hears(t, conn, client.answer)
				}
				_ = conn.CloseNow()
			}
			t.Fatal("120 bad tokens of one address, of which 20 may come at once, were all looked at")
		})
	}
}

// hears fails unless the next frame begins so.
func hears(t *testing.T, conn *websocket.Conn, beginning string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, frame, err := conn.Read(ctx); err != nil || !strings.HasPrefix(string(frame), beginning) {
		t.Fatalf("heard %q, %v; want %q", frame, err, beginning)
	}
}
