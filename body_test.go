package wireroom_test

import (
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom"
)

// TestNobodyWaitsForABody announces a body and sends none, wherever no body is looked at.
func TestNobodyWaitsForABody(t *testing.T) {
	for _, request := range []string{
		"GET /healthz", "GET /readyz", "GET /nowhere", "POST /api/tickets", "GET /ws", "GET /sse", "GET /poll?room=r&wait=0", "POST /send",
	} {
		for _, length := range []string{"Content-Length: 10", "Transfer-Encoding: chunked"} {
			synctest.Test(t, func(t *testing.T) {
				server, web := embed(t, wireroom.Options{})
				c, err := web.DialContext(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: wireroom.test\r\n%s\r\n\r\n", request, length)
				_ = c.SetReadDeadline(time.Now().Add(time.Minute))
				if answer, err := io.ReadAll(c); err != nil {
					t.Errorf("%s, %s: after a minute %v, and %q", request, length, err, answer)
				}
				if err := server.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
