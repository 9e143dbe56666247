package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 10

// firstRetry is after how long a request is sent again first; each time after twice as long.
const firstRetry = 250 * time.Millisecond

// apiClient publishes by the HTTP API.
type apiClient struct {
	url    string
	key    string
	within time.Duration // how long one message may take, with all that is sent again
}

// api returns a client of the API that --api names.
func (c *pubCommand) api(p *program) (*apiClient, error) {
	key, err := apiKey(p, c.APIKeyFile)
	if err != nil {
		return nil, err
	}
	return &apiClient{url: strings.TrimSuffix(c.API, "/") + "/api/publish", key: key, within: c.Timeout}, nil
}

// publish publishes a message, and sends it again where that may help: with a key it is stored once.
func (a *apiClient) publish(ctx context.Context, message map[string]any) (*protocol.Published, error) {
	message["key"] = rand.Text()
	body, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, a.within, fmt.Errorf("not published within %v", a.within))
	defer cancel()
	for wait := firstRetry; ; wait *= 2 {
		published, again, err := a.send(ctx, body)
		if err == nil || !again {
			return published, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(wait):
		}
	}
}

// send sends one request; again tells that another one may do better.
func (a *apiClient) send(ctx context.Context, body []byte) (published *protocol.Published, again bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, bytes.NewReader(body))
	if err != nil {
		return nil, false, &failure{status: exitUsage, err: fmt.Errorf("publish by the API: %w", err)}
	}
	r.Header.Set("Authorization", "Bearer "+a.key)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, true, &failure{exitUnreachable, err, "Is the server running, and --api its URL (http://HOST:PORT, or https:// with TLS)?"}
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, true, &failure{status: exitUnreachable, err: fmt.Errorf("publish by the API: %w", err)}
	}
	if response.StatusCode == http.StatusOK {
		published = new(protocol.Published)
		if err := json.Unmarshal(answer, published); err != nil {
			return nil, false, &failure{exitUnreachable, fmt.Errorf("the answer is none of Wireroom's: %w", err), "Is --api the URL of a Wireroom?"}
		}
		return published, false, nil
	}
	var refused protocol.Error
	if json.Unmarshal(answer, &refused) != nil || refused.Code == "" {
		return nil, false, &failure{exitUnreachable, fmt.Errorf("the server answers %s", response.Status), "Is --api the URL of a Wireroom?"}
	}
	return nil, refused.Code.Retryable(), &failure{status: exitRefused, err: &refused}
}
