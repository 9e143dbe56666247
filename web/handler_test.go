package web_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/web"
)

// all returns a handler with every page.
func all(t *testing.T) http.Handler {
	t.Helper()
	h, err := web.Handler(web.Chat, web.Dashboard, web.Admin, web.Transports)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func ask(h http.Handler, method, path string, header ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// each calls f for each file of every page, with its name in the folder web.
func each(t *testing.T, f func(name string, content []byte)) {
	t.Helper()
	n := 0
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.Contains(name, "/") {
			return err
		}
		n++
		content, err := os.ReadFile(name)
		f(name, content)
		return err
	})
	if err != nil || n == 0 {
		t.Fatalf("%d files, %v", n, err)
	}
}

func TestServesEachPageAtItsPath(t *testing.T) {
	h := all(t)
	for page, path := range map[web.Page]string{web.Chat: "/", web.Dashboard: "/dashboard", web.Admin: "/admin", web.Transports: "/demo/transports"} {
		response := ask(h, http.MethodGet, path)
		if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/html; charset=utf-8" || page.Path() != path {
			t.Errorf("%s at %s: got %d, %q", page, path, response.StatusCode, response.Header.Get("Content-Type"))
		}
	}
	alone, err := web.Handler(web.Dashboard)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/dashboard": 200, "/parts/theme.css": 200, "/": 404, "/chat/chat.js": 404} {
		if got := ask(alone, http.MethodGet, path).StatusCode; got != want {
			t.Errorf("with the dashboard alone, %s is %d, want %d", path, got, want)
		}
	}
}

func TestServesEveryFileWithItsTypeAndItsPolicy(t *testing.T) {
	h := all(t)
	types := map[string]string{
		".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain",
	}
	each(t, func(name string, _ []byte) {
		at := "/" + name
		if folder, found := strings.CutSuffix(name, "/index.html"); found {
			at = web.Page(folder).Path()
		}
		response := ask(h, http.MethodGet, at)
		want := types[path.Ext(name)]
		if got := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %d, %q; want %q", name, response.StatusCode, got, want)
		}
		checkSafety(t, name, response.Header)
	})
}

// Every file that a page or a script names is there.
func TestEveryLinkLeadsToAFile(t *testing.T) {
	h := all(t)
	links := regexp.MustCompile(`(?:\b(?:href|src)=|\bfrom ?|\bimport\(?)"([^"#:]+\.[a-z]+)"`)
	found := 0
	each(t, func(name string, content []byte) {
		base := path.Dir(name)
		if folder, found := strings.CutSuffix(name, "/index.html"); found {
			base = path.Dir(web.Page(folder).Path())
		}
		for _, link := range links.FindAllSubmatch(content, -1) {
			found++
			at := path.Join("/", base, string(link[1]))
			if got := ask(h, http.MethodGet, at).StatusCode; got != http.StatusOK {
				t.Errorf("%s links to %s, which is %d", name, at, got)
			}
		}
	})
	if found < 20 {
		t.Errorf("found %d links", found)
	}
}

func checkSafety(t *testing.T, name string, header http.Header) {
	t.Helper()
	policy := header.Get("Content-Security-Policy")
	for _, directive := range []string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
		"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
	} {
		if !strings.Contains("; "+policy+";", "; "+directive+";") {
			t.Errorf("%s: the policy %q lacks %q", name, policy, directive)
		}
	}
	for key, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
		"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-cache",
	} {
		if got := header.Get(key); got != want {
			t.Errorf("%s: %s is %q, want %q", name, key, got, want)
		}
	}
}

func TestAnswersThatNothingHasChanged(t *testing.T) {
	h := all(t)
	tag := ask(h, http.MethodGet, "/chat/chat.js").Header.Get("Etag")
	if tag == "" || tag == ask(h, http.MethodGet, "/parts/theme.css").Header.Get("Etag") {
		t.Fatalf("the tag %q does not tell one file from another", tag)
	}
	if got := ask(h, http.MethodGet, "/chat/chat.js", "If-None-Match", tag).StatusCode; got != http.StatusNotModified {
		t.Errorf("got %d for the same version, want 304", got)
	}
	if got := ask(h, http.MethodGet, "/chat/chat.js", "If-None-Match", `"old"`).StatusCode; got != http.StatusOK {
		t.Errorf("got %d for an old version, want 200", got)
	}
}

func TestRefusesWhatIsNoFile(t *testing.T) {
	h := all(t)
	for _, path := range []string{"/nothing.js", "/chat/index.html", "/index.html", "/index.html/", "/dashboard/", "/parts/", "/../handler.go", "/%2e%2e/handler.go"} {
		if got := ask(h, http.MethodGet, path).StatusCode; got != http.StatusNotFound {
			t.Errorf("%s: got %d, want 404", path, got)
		}
	}
}

func TestRefusesOtherMethods(t *testing.T) {
	response := ask(all(t), http.MethodPost, "/")
	if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("got %d, Allow %q", response.StatusCode, response.Header.Get("Allow"))
	}
	if got := ask(all(t), http.MethodHead, "/").StatusCode; got != http.StatusOK {
		t.Errorf("HEAD got %d, want 200", got)
	}
}

// The policy would block them in the browser; here they are found before one is asked.
func TestPagesHaveNothingInline(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script(?:\s[^>]*)?>[^<]|https?://|javascript:`)
	each(t, func(name string, content []byte) {
		if found := inline.Find(content); found != nil && path.Ext(name) == ".html" {
			t.Errorf("%s has %q", name, found)
		}
	})
}

func TestScriptsNeverParseMarkup(t *testing.T) {
	parsing := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|\beval\b|new Function`)
	each(t, func(name string, content []byte) {
		if found := parsing.Find(content); found != nil && path.Ext(name) == ".js" {
			t.Errorf("%s has %q", name, found)
		}
	})
}
