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
	".txt":  "text/plain; charset=utf-8", // licences
}

// file is one file with the headers that go with it.
type file struct {
	body   []byte
	header http.Header
}

// Handler returns a handler that serves pages, each at its Path. It reads their files once, now; it lists no folders,
// and what is not among the files is 404. A browser asks again each time and is told in a few bytes that nothing has
// changed, so a new version of the server is never mixed with an old page.
//
// It fails when a file cannot be read or is of a type that no page uses.
func Handler(pages ...Page) (http.Handler, error) { return serve(files, pages) }

// serve is Handler, for other files.
func serve(from fs.FS, pages []Page) (http.Handler, error) {
	served := make(map[string]*file)
	for _, page := range append([]Page{parts}, pages...) {
		err := fs.WalkDir(from, string(page), func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			address := "/" + name
			if name == string(page)+"/index.html" {
				address = page.Path() // what it links to is relative to that
			}
			served[address], err = load(from, name)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("web: %w", err)
		}
	}
	return handler(served), nil
}

func load(from fs.FS, name string) (*file, error) {
	contentType, ok := contentTypes[path.Ext(name)]
	if !ok {
		return nil, fmt.Errorf("%s: no page uses files of this type", name)
	}
	body, err := fs.ReadFile(from, name)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	return &file{body: body, header: http.Header{
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

func handler(served map[string]*file) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		file, ok := served[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		maps.Copy(w.Header(), file.header)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.body))
	}
}
