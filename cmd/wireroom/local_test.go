package main

import (
	"net/http"
	"strings"
	"testing"
)

// A page whose own name was made to lead to this machine gets nothing; who names another origin, or has a secret, is
// not looked after like that.
func TestDevelopmentIsForThisMachineByName(t *testing.T) {
	t.Parallel()
	_, url := serve(t)
	_, named := serve(t, "--origins", "https://chat.example")
	_, stated := serve(t, "--access", "anyone")
	for _, row := range []struct {
		url, host string
		want      int
	}{
		{url, "127.0.0.1", 200},
		{url, "localhost:8080", 200},
		{url, "LOCALHOST.", 200},
		{url, "chat.localhost:1", 200},
		{url, "[::1]:8080", 200},
		{url, "evil.example:8080", 403},
		{url, "127.0.0.1.evil.example", 403},
		{url, "localhost.evil.example", 403},
		{url, "evillocalhost", 403},
		{named, "chat.example", 200},
		{stated, "chat.example", 200},
	} {
		for _, path := range []string{"/readyz", "/", "/history?room=general"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http"+strings.TrimSuffix(strings.TrimPrefix(row.url, "ws"), "/ws")+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = row.host
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if got := response.StatusCode; (got == http.StatusForbidden) != (row.want == http.StatusForbidden) {
				t.Errorf("%s of %s: %d", path, row.host, got)
			}
		}
	}
}
