package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"time"
)

// Policy is the Content-Security-Policy of every page: nothing but the server's own scripts, styles, images and
// connections. 'self' covers ws: and wss: of the same host (CSP 3, section 6.7.2.8). The last directive makes the
// browser refuse whatever would parse a string as markup.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// contentTypes does not ask the operating system, which may call a script text/plain.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".png":  "image/png",
}

// page is one file with the headers that go with it.
type page struct {
	body   []byte
	header http.Header
}

// Handler returns a handler that serves files, with index.html at "/". It reads them once, now; it lists no folders,
// and what is not among the files is 404. A browser asks again each time and is told in a few bytes that nothing has
// changed, so a new version of the server is never mixed with an old page.
//
// It fails when a file cannot be read or is of a type that no page uses.
func Handler(files fs.FS) (http.Handler, error) {
	pages := make(map[string]*page)
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		p, err := load(files, name)
		if err != nil {
			return err
		}
		pages["/"+name] = p
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	if index, ok := pages["/index.html"]; ok {
		pages["/"] = index
	}
	return handler(pages), nil
}

func load(files fs.FS, name string) (*page, error) {
	contentType, ok := contentTypes[path.Ext(name)]
	if !ok {
		return nil, fmt.Errorf("%s: no page uses files of this type", name)
	}
	body, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	return &page{body: body, header: http.Header{
		"Content-Type":                 {contentType},
		"Etag":                         {`"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`},
		"Cache-Control":                {"no-cache"},
		"Content-Security-Policy":      {Policy},
		"X-Content-Type-Options":       {"nosniff"},
		"X-Frame-Options":              {"DENY"}, // for browsers that do not know frame-ancestors
		"Referrer-Policy":              {"no-referrer"},
		"Cross-Origin-Resource-Policy": {"same-origin"},
	}}, nil
}

func handler(pages map[string]*page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		maps.Copy(w.Header(), page.header)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(page.body))
	}
}
