package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// The headers of what is sent.
const (
	IDHeader        = "Wireroom-Id"        // the same each time that this is sent
	TimestampHeader = "Wireroom-Timestamp" // Unix seconds, when it was sent
	SignatureHeader = "Wireroom-Signature" // as Sign returns it
)

// Sign returns the signature of a body that is sent at a time: "sha256=" and, in hexadecimal, HMAC-SHA256 of the time as
// it stands in its header, a dot, and the body. A back end computes it anew, compares without leaking how far the two
// are equal, and takes nothing that is minutes old.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp))
	mac.Write([]byte{'.'})
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// Deadlines of a connection to a back end.
const (
	dialTimeout = 3 * time.Second
	idleTimeout = 30 * time.Second
	maxIdle     = 64 // connections to one back end that are kept
)

// errBusy is why a hook is not asked that has too many calls under way.
var errBusy = errors.New("too many calls are under way")

// sender sends bodies to hooks.
type sender struct{ client *http.Client }

func newSender() *sender {
	return &sender{&http.Client{
		Transport: &http.Transport{ // no proxy: the configured URL is what is called
			DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSHandshakeTimeout: dialTimeout, IdleConnTimeout: idleTimeout,
			MaxIdleConnsPerHost: maxIdle, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// decide sends a body and returns the verdict.
func (s *sender) decide(ctx context.Context, h *hook, id string, body []byte) (*Verdict, error) {
	select {
	case h.calls <- struct{}{}:
		defer func() { <-h.calls }()
	default:
		return nil, errBusy
	}
	answer, err := s.send(ctx, h, id, body)
	if err != nil {
		return nil, err
	}
	verdict := new(Verdict)
	if len(bytes.TrimSpace(answer)) == 0 {
		return verdict, nil
	}
	if err := json.Unmarshal(answer, verdict); err != nil {
		return nil, fmt.Errorf("the answer is no verdict: %w", err)
	}
	return verdict, nil
}

// send sends a body and returns the answer's.
func (s *sender) send(ctx context.Context, h *hook, id string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, h.Timeout, fmt.Errorf("no answer within %v", h.Timeout))
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	now := strconv.FormatInt(time.Now().Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "wireroom")
	r.Header.Set(IDHeader, id)
	r.Header.Set(TimestampHeader, now)
	r.Header.Set(SignatureHeader, Sign(h.Secret, now, body))
	response, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case !success(response.StatusCode):
		return nil, fmt.Errorf("answered %s", response.Status)
	case len(answer) > maxAnswer:
		return nil, fmt.Errorf("an answer of more than %d bytes", maxAnswer)
	}
	return answer, nil
}

// close drops the connections that are kept.
func (s *sender) close() { s.client.CloseIdleConnections() }
