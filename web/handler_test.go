package web_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/wireroom/wireroom/web"
)

func chat(t *testing.T) http.Handler {
	t.Helper()
	h, err := web.Handler(web.Chat())
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

func TestServesTheChatAtTheRoot(t *testing.T) {
	response := ask(chat(t), http.MethodGet, "/")
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("got %d, %q", response.StatusCode, response.Header.Get("Content-Type"))
	}
}

func TestServesEveryFileWithItsTypeAndItsPolicy(t *testing.T) {
	h := chat(t)
	types := map[string]string{"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
	err := fs.WalkDir(web.Chat(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		response := ask(h, http.MethodGet, "/"+name)
		want := types[name[strings.LastIndex(name, ".")+1:]]
		if got := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %d, %q; want %q", name, response.StatusCode, got, want)
		}
		checkSafety(t, name, response.Header)
		return nil
	})
	if err != nil {
		t.Fatal(err)
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
	h := chat(t)
	tag := ask(h, http.MethodGet, "/chat.js").Header.Get("Etag")
	if tag == "" || tag == ask(h, http.MethodGet, "/theme.css").Header.Get("Etag") {
		t.Fatalf("the tag %q does not tell one file from another", tag)
	}
	if got := ask(h, http.MethodGet, "/chat.js", "If-None-Match", tag).StatusCode; got != http.StatusNotModified {
		t.Errorf("got %d for the same version, want 304", got)
	}
	if got := ask(h, http.MethodGet, "/chat.js", "If-None-Match", `"old"`).StatusCode; got != http.StatusOK {
		t.Errorf("got %d for an old version, want 200", got)
	}
}

func TestRefusesWhatIsNoFile(t *testing.T) {
	h := chat(t)
	for _, path := range []string{"/nothing.js", "/chat/index.html", "/index.html/", "/../handler.go", "/%2e%2e/handler.go"} {
		if got := ask(h, http.MethodGet, path).StatusCode; got != http.StatusNotFound {
			t.Errorf("%s: got %d, want 404", path, got)
		}
	}
}

func TestRefusesOtherMethods(t *testing.T) {
	response := ask(chat(t), http.MethodPost, "/")
	if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("got %d, Allow %q", response.StatusCode, response.Header.Get("Allow"))
	}
	if got := ask(chat(t), http.MethodHead, "/").StatusCode; got != http.StatusOK {
		t.Errorf("HEAD got %d, want 200", got)
	}
}

func TestRefusesFilesThatNoPageUses(t *testing.T) {
	if _, err := web.Handler(fstest.MapFS{"notes.txt": {}}); err == nil || !strings.Contains(err.Error(), "notes.txt") {
		t.Errorf("got %v, want an error that names notes.txt", err)
	}
}

// The policy would block them in the browser; here they are found before one is asked.
func TestPagesHaveNothingInline(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script(?:\s[^>]*)?>[^<]|https?://|javascript:`)
	page, err := fs.ReadFile(web.Chat(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	if found := inline.Find(page); found != nil {
		t.Errorf("index.html has %q", found)
	}
}

func TestScriptsNeverParseMarkup(t *testing.T) {
	parsing := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|\beval\b|new Function`)
	names, err := fs.Glob(web.Chat(), "*.js")
	if err != nil || len(names) == 0 {
		t.Fatalf("got %d scripts, %v", len(names), err)
	}
	for _, name := range names {
		script, err := fs.ReadFile(web.Chat(), name)
		if err != nil {
			t.Fatal(err)
		}
		if found := parsing.Find(script); found != nil {
			t.Errorf("%s has %q", name, found)
		}
	}
}
