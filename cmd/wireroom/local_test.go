package main

import (
	"net/http"
	"strings"
	"testing"
)

// A page whose own name was made to lead to this machine gets nothing; who names other origins, or has a proxy, is not
// looked after like that.
func TestDevelopmentIsForThisMachineByName(t *testing.T) {
	t.Parallel()
	_, url := serve(t)
	_, named := serve(t, "--origins", "https://chat.example")
	_, stated := serve(t, "--access", "anyone")
	_, proxied := serve(t, "--trusted-proxies", "127.0.0.1")
	for _, row := range []struct {
		url, host string
		want      int
	}{
		{url, "127.0.0.1", 200},
		{url, "localhost:8080", 200},
		{url, "LOCALHOST.", 200},
		{url, "chat.localhost:1", 200},
		{url, "[::1]:8080", 200},
		{url, "wireroom", 200},
		{url, "chat.test:8080", 200},
		{url, "evil.example:8080", 403},
		{url, "127.0.0.1.evil.example", 403},
		{url, "localhost.evil.example", 403},
		{url, "evil.localhost.example", 403},
		{named, "chat.example", 200},
		{stated, "chat.example", 403},
		{proxied, "chat.example", 200},
	} {
		for _, path := range []string{"/readyz", "/", "/history?room=general"} {
			if got := statusFor(t, row.url, path, row.host); (got == http.StatusForbidden) != (row.want == http.StatusForbidden) {
				t.Errorf("%s of %s: %d", path, row.host, got)
			}
		}
	}
}

// statusFor asks the server of a socket's URL for a path by some name, and returns the status.
func statusFor(t *testing.T, url, path, host string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http"+strings.TrimSuffix(strings.TrimPrefix(url, "ws"), "/ws")+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}
