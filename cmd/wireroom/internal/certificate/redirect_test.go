package certificate_test

import (
	"net/http/httptest"
	"testing"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/certificate"
)

func TestRedirect(t *testing.T) {
	for _, row := range []struct {
		method, host, port, path string
		upgrade                  bool
		status                   int
		location                 string
	}{
		{"GET", "chat.example", "", "/a?b=c", false, 308, "https://chat.example/a?b=c"},
		{"HEAD", "chat.example:80", "", "/", false, 308, "https://chat.example/"},
		{"GET", "chat.example:8080", ":8443", "/", false, 308, "https://chat.example:8443/"},
		{"GET", "[::1]:8080", ":8443", "/", false, 308, "https://[::1]:8443/"},
		{"GET", "chat.example", "", "//evil.example/", false, 308, "https://chat.example//evil.example/"},
		{"POST", "chat.example", "", "/", false, 400, ""},
		{"GET", "", "", "/", false, 400, ""},
		{"GET", "chat.example", "", "/ws?token=x", true, 400, ""},
	} {
		r := httptest.NewRequest(row.method, "http://x"+row.path, nil)
		r.Host = row.host
		if row.upgrade {
			r.Header.Set("Upgrade", "websocket")
		}
		w := httptest.NewRecorder()
		certificate.Redirect(row.port).ServeHTTP(w, r)
		if w.Code != row.status || w.Header().Get("Location") != row.location || w.Header().Get("Connection") != "close" {
			t.Errorf("%+v: %d %v", row, w.Code, w.Header())
		}
	}
}
