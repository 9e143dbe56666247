package wireroom_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/disk"
	"github.com/wireroom/wireroom/test/faultproxy"
)

const lastWord = "the end"

// reader is a client of one transport that reads a room through connections that are cut again and again.
type reader struct {
	name  string
	once  func(r *reader, address string) error // reads until the connection breaks
	at    string                                // where it stands: a vector, or a position
	token string                                // of the same user
	got   []string
	has   atomic.Int64 // len(got)
	bad   error
}

// note takes note of an envelope.
func (r *reader) note(e map[string]any) error {
	switch e["type"] {
	case "ok":
		if r.at != "" && e["recovered"] != true {
			return fmt.Errorf("not recovered: %v", e)
		}
	case "message":
		r.got = append(r.got, e["data"].(string))
		r.has.Store(int64(len(r.got)))
		if e["data"] == lastWord {
			return io.EOF
		}
	case "welcome":
		r.token, _ = e["token"].(string)
	default:
		return fmt.Errorf("received %v", e)
	}
	return nil
}

// run reads until the last word.
func (r *reader) run(ctx context.Context, address string) {
	for ctx.Err() == nil && r.bad == nil {
		if err := r.once(r, address); errors.Is(err, io.EOF) {
			return
		}
	}
	r.bad = errors.Join(r.bad, ctx.Err())
}

// TestThreeTransportsReadOneSequence cuts the connections of a reader of each transport 1,000 times.
func TestThreeTransportsReadOneSequence(t *testing.T) {
	for _, row := range []struct {
		name string
		o    func(t *testing.T) wireroom.Options
		cuts int
	}{
		{"loop", func(*testing.T) wireroom.Options { return wireroom.Options{} }, 1000},
		{"portable", func(*testing.T) wireroom.Options { return wireroom.Options{Portable: true} }, 300},
		{"disk", func(t *testing.T) wireroom.Options {
			return wireroom.Options{Engine: disk.New(disk.Options{Dir: t.TempDir()})}
		}, 300},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := row.o(t)
			o.Rules = []wireroom.Rule{{Pattern: "**", History: engine.Retention{Messages: 1 << 20}}}
			o.Limits = wireroom.Limits{JoinRate: -1, User: wireroom.UserLimits{ConnectRate: -1}}
			readThroughCuts(t, o, row.cuts)
		})
	}
}

func readThroughCuts(t *testing.T, o wireroom.Options, cuts int) {
	server, url := start(t, o)
	proxy, err := faultproxy.New(faultproxy.Options{Target: strings.TrimPrefix(url, "ws://")})
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	proxy.Set(faultproxy.Faults{Down: faultproxy.Way{CutAfter: 600, CutSpread: 8000}})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
	defer cancel()
	publish(t, server, "a", "the first")
	readers := []*reader{{name: "websocket", once: readSocket}, {name: "sse", once: readStream}, {name: "poll", once: readPolls}}
	var reading sync.WaitGroup
	for _, r := range readers {
		reading.Go(func() { r.run(ctx, "http://"+proxy.Addr()) })
	}
	sent := []string{"the first"}
	for total := 0; total < cuts && ctx.Err() == nil; _, total = proxy.Counts() {
		for ctx.Err() == nil && (slowest(readers) < int64(len(sent))-12 || slowest(readers) == 0) {
			time.Sleep(time.Millisecond)
		}
		text := fmt.Sprint(len(sent), strings.Repeat(".", len(sent)%200))
		publish(t, server, "a", text)
		sent = append(sent, text)
	}
	proxy.Set(faultproxy.Faults{})
	publish(t, server, "a", lastWord)
	reading.Wait()
	sent = append(sent, lastWord)
	for _, r := range readers {
		if r.bad != nil || !slices.Equal(r.got, sent) {
			t.Errorf("%s: %v; got %d messages of %d, %s", r.name, r.bad, len(r.got), len(sent), difference(r.got, sent))
		}
	}
	_, total := proxy.Counts()
	t.Logf("%d messages over %d connections", len(sent), total)
}

// slowest returns how many messages the reader has that has fewest.
func slowest(readers []*reader) int64 {
	least := readers[0].has.Load()
	for _, r := range readers {
		least = min(least, r.has.Load())
	}
	return least
}

// difference says where two sequences part.
func difference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("at %d %.20q, want %.20q", i, got[i], want[i])
		}
	}
	return "one is the beginning of the other"
}

func readSocket(r *reader, address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, address+"/ws", nil)
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(-1)
	join := `{"type":"join","room":"a","id":1,"last":1}`
	if r.at != "" {
		join = `{"type":"join","room":"a","id":1,"since":"` + r.at + `"}`
	}
	if err := conn.Write(ctx, websocket.MessageText, []byte(join)); err != nil {
		return err
	}
	for {
		_, frame, err := conn.Read(ctx)
		if err != nil {
			return errors.New("cut")
		}
		var e map[string]any
		if err := json.Unmarshal(frame, &e); err != nil {
			r.bad = err
			return err
		}
		if err := r.take(e); err != nil {
			return err
		}
		if pos, ok := e["pos"].(string); ok {
			r.at = pos
		}
	}
}

// take notes an envelope; whatever is wrong with it is the end.
func (r *reader) take(e map[string]any) error {
	err := r.note(e)
	if err != nil && !errors.Is(err, io.EOF) {
		r.bad = err
	}
	return err
}

// request sends a GET and returns the answer, on a connection of its own.
func request(address, query, at string) (*http.Response, func(), error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	transport := &http.Transport{DisableKeepAlives: true}
	done := func() {
		cancel()
		transport.CloseIdleConnections()
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address+query, nil)
	if err != nil {
		return nil, done, err
	}
	if at != "" {
		q.Header.Set("Last-Event-ID", at)
	}
	response, err := transport.RoundTrip(q)
	return response, done, err
}

func readStream(r *reader, address string) error {
	response, done, err := request(address, "/sse?room=a&last=1&token="+r.token, r.at)
	defer done()
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		r.bad = errors.New(response.Status)
		return r.bad
	}
	s := newSource(response)
	for {
		e, err := s.next()
		if err != nil {
			return errors.New("cut")
		}
		if err := r.take(e.envelope); err != nil {
			return err
		}
		if e.id != "" {
			r.at = e.id
		}
	}
}

func readPolls(r *reader, address string) error {
	for {
		response, done, err := request(address, "/poll?room=a&last=1&client=c0123456789abcdef&token="+r.token, r.at)
		if err != nil {
			done()
			return err
		}
		body, err := io.ReadAll(response.Body)
		done()
		if err != nil {
			return err
		}
		var p polled
		if err := json.Unmarshal(body, &p); err != nil || response.StatusCode != http.StatusOK {
			r.bad = errors.Join(errors.New(response.Status), err)
			return r.bad
		}
		for _, e := range p.Messages {
			if err := r.take(e); err != nil {
				return err
			}
		}
		r.at = p.Cursor
	}
}
