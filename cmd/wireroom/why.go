package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// whyCommand is `wireroom why`.
type whyCommand struct {
	User string `arg:"" help:"The user, as the server names it."`
	Room string `arg:"" help:"The room."`
	When string `arg:"" help:"The message: its position (pos), or when it was published, such as 5m (ago), 14:03:12 (today, in local time) or 2026-03-14T14:03:12Z."`
	At   string `placeholder:"WHEN" help:"When it was published, beside a position that has left the room's log."`

	API        string        `name:"api" default:"http://127.0.0.1:8090" placeholder:"URL" help:"The server's listener of administrators. The environment variable WIREROOM_API_KEY has the key."`
	APIKeyFile string        `name:"api-key-file" placeholder:"FILE" help:"File with the key, instead."`
	Timeout    time.Duration `default:"10s" placeholder:"DURATION" help:"How long the server may take."`
	JSON       bool          `name:"json" help:"Print the whole answer, as the API has it."`
}

// Run asks, and prints what became of the message: the main reason first, then what each node says.
func (c *whyCommand) Run(ctx context.Context, p *program) error {
	query, err := c.query(time.Now())
	if err != nil {
		return err
	}
	key, err := apiKey(p, c.APIKeyFile)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("no answer within %v", c.Timeout))
	defer cancel()
	answer, err := askAPI(ctx, strings.TrimSuffix(c.API, "/")+"/api/why?"+query.Encode(), key)
	if err != nil {
		return err
	}
	if c.JSON {
		_, err := fmt.Fprintf(p.out, "%s\n", answer)
		return err
	}
	return printWhy(p.out, answer)
}

// query returns the parameters of the request.
func (c *whyCommand) query(now time.Time) (url.Values, error) {
	query := url.Values{"user": {c.User}, "room": {c.Room}}
	if _, err := protocol.ParsePosition(c.When); err == nil {
		query.Set("pos", c.When)
		if c.At == "" {
			return query, nil
		}
		return query, setTime(query, c.At, now)
	}
	return query, setTime(query, c.When, now)
}

// setTime adds a time to parameters.
func setTime(query url.Values, text string, now time.Time) error {
	at, err := parseWhen(text, now)
	if err != nil {
		return &failure{exitUsage, err, "A time is 5m (ago), 14:03:12 (today) or 2026-03-14T14:03:12Z; a position is what pos says of a message."}
	}
	query.Set("ts", strconv.FormatInt(at.UnixMilli(), 10))
	return nil
}

// parseWhen reads a time as people write it.
func parseWhen(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at, nil
		}
	}
	for _, layout := range []string{"15:04:05", "15:04"} {
		if at, err := time.Parse(layout, text); err == nil {
			return time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), at.Second(), 0, now.Location()), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a position nor a time", text)
}

// printWhy prints an answer for people.
func printWhy(w io.Writer, text []byte) error {
	var answer struct {
		Reason, Text, Node string
		Nodes              []struct {
			Node     string
			Findings []struct{ Reason, Text, Client string }
		}
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Reason == "" {
		return &failure{exitUnreachable, errors.New("the answer is none of Wireroom's"), "Is --api the listener of administrators of a Wireroom?"}
	}
	if _, err := fmt.Fprintf(w, "%s: %s\n", answer.Reason, answer.Text); err != nil {
		return err
	}
	for _, node := range answer.Nodes {
		for _, f := range node.Findings {
			if node.Node == answer.Node && f.Text == answer.Text {
				continue
			}
			if _, err := fmt.Fprintf(w, "  node %s, %s: %s\n", node.Node, f.Reason, f.Text); err != nil {
				return err
			}
		}
	}
	return nil
}

// apiKey returns the key for the API: of a file where there is one, otherwise of the environment.
func apiKey(p *program, file string) (string, error) {
	key := p.env("WIREROOM_API_KEY")
	if file != "" {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", &failure{status: exitUsage, err: fmt.Errorf("read the key: %w", err)}
		}
		key = strings.TrimSpace(string(content))
	}
	if key == "" {
		return "", &failure{exitUsage, errors.New("use the API: there is no key"), "--api-key-file FILE, or WIREROOM_API_KEY in the environment."}
	}
	return key, nil
}

// askAPI sends a request that changes nothing, and returns the answer.
func askAPI(ctx context.Context, target, key string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, &failure{status: exitUsage, err: fmt.Errorf("ask the API: %w", err)}
	}
	r.Header.Set("Authorization", "Bearer "+key)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, &failure{exitUnreachable, err, "Is the server running, and --api its listener of administrators (http://HOST:PORT)?"}
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, &failure{status: exitUnreachable, err: fmt.Errorf("ask the API: %w", err)}
	}
	if response.StatusCode == http.StatusOK {
		return answer, nil
	}
	var refused protocol.Error
	if json.Unmarshal(answer, &refused) != nil || refused.Code == "" {
		return nil, &failure{exitUnreachable, fmt.Errorf("the server answers %s", response.Status), "Is --api the listener of administrators of a Wireroom?"}
	}
	return nil, &failure{status: exitRefused, err: &refused}
}
