package wireroom_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
)

// TestWhoGuessesTokensIsRefused has one address send a few bad tokens on each of many connections, fewer than end one.
func TestWhoGuessesTokensIsRefused(t *testing.T) {
	_, url := start(t, wireroom.Options{
		Auth: auth.HMAC([]byte("a secret of sixteen bytes")), Insecure: true, TrustedProxies: []string{"127.0.0.1"},
		Limits: wireroom.Limits{Address: wireroom.AddressLimits{FailureRate: 0.001, FailureBurst: 20}},
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 30 {
		conn, answer, err := websocket.Dial(ctx, url+"/ws", &websocket.DialOptions{HTTPHeader: http.Header{"X-Forwarded-For": {"192.0.2.7"}}})
		if answer != nil && answer.StatusCode == http.StatusTooManyRequests {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		p := &peer{t, conn}
		p.expect("auth_required")
		for i := range 4 {
			p.send(fmt.Sprintf(`{"type":"auth","token":"guess","id":%d}`, i))
			p.expect("error")
		}
		_ = conn.CloseNow()
	}
	t.Fatal("120 bad tokens of one address, of which 20 may come at once, were all looked at")
}
