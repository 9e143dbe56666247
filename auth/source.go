package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	fetchTimeout = 10 * time.Second // of one key set
	maxRedirects = 3
)

// source is one of the KeySets: a URL or a file.
type source struct {
	url       string // https; empty for a file
	path      string
	algorithm string // of PEM keys that do not name theirs
	client    *http.Client

	keys    []Key // of the last reading that went well; nil before that
	failure error // of the last reading; nil if it went well
}

// newSource returns the source at a location: an https URL, a file URL or a path.
func newSource(location, algorithm string, client *http.Client) (*source, error) {
	scheme, rest, found := strings.Cut(location, "://")
	switch {
	case location == "":
		return nil, errors.New("a key set without a location")
	case !found:
		return &source{path: location, algorithm: algorithm}, nil
	case scheme == "file":
		return &source{path: rest, algorithm: algorithm}, nil
	}
	u, err := url.Parse(location)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("key set %q: want an https URL without a password, or a file", redacted(location))
	}
	own := new(http.Client)
	if client != nil {
		*own = *client
	}
	own.CheckRedirect = checkRedirect
	return &source{url: location, client: own}, nil
}

// redacted returns a location without what could be a password.
func redacted(location string) string {
	if u, err := url.Parse(location); err == nil {
		return u.Redacted()
	}
	return "(unreadable)"
}

// checkRedirect refuses what would take a fetch off TLS, or around in circles.
func checkRedirect(r *http.Request, before []*http.Request) error {
	switch {
	case r.URL.Scheme != "https":
		return fmt.Errorf("a redirect to %s", r.URL.Scheme)
	case len(before) > maxRedirects:
		return errors.New("too many redirects")
	}
	return nil
}

// read reads the source; when that fails, the keys of before stay.
func (s *source) read(ctx context.Context) error {
	keys, err := s.load(ctx)
	if err != nil {
		err = fmt.Errorf("key set %s: %w", s.location(), err)
	}
	s.failure = err
	if err == nil || len(keys) > 0 {
		s.keys = keys
	}
	return err
}

func (s *source) location() string {
	if s.url == "" {
		return s.path
	}
	return redacted(s.url)
}

// load returns the keys of the source. Of a URL, keys may come beside an error about others.
func (s *source) load(ctx context.Context) ([]Key, error) {
	if s.url == "" {
		return s.loadFile()
	}
	text, err := s.fetch(ctx)
	if err != nil {
		return nil, err
	}
	all, err := parseJWK(text)
	public := all[:0]
	for _, k := range all {
		if k.Secret != nil { // whoever can fetch it could sign
			err = errors.Join(err, errors.New("a secret in a public set is not taken"))
			continue
		}
		public = append(public, k)
	}
	if len(public) == 0 && err == nil {
		err = errors.New("it has no keys for signatures")
	}
	return public, err
}

func (s *source) loadFile() ([]Key, error) {
	file, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	keys, err := ParseKeys(text, s.algorithm)
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// fetch returns the answer of the URL.
func (s *source) fetch(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %s", response.Status)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("the answer has more than %d bytes", maxKeyFile)
	}
	return text, nil
}
