package main

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
)

// after returns what follows a word in the line that begins with it.
func (p *process) after(prefix string) string {
	p.t.Helper()
	for {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(p.line()), prefix); ok {
			return strings.TrimSpace(rest)
		}
	}
}

// asks sends a request with a key and returns the status and the answer.
func asks(t *testing.T, method, url, key, body string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer map[string]any
	_ = json.NewDecoder(response.Body).Decode(&answer) // some have none
	return response.StatusCode, answer
}

func TestAdministratorsAreAnsweredOnTheirListener(t *testing.T) {
	p := start(t, command(t, nil, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"))
	socket := p.url()
	admin, key := p.after("admin "), p.after("admin key")
	if status, answer := asks(t, "GET", admin+"api/connections", key, ""); status != 200 || answer["connections"] == nil {
		t.Errorf("with the key that is printed: %d %v", status, answer)
	}
	if status, _ := asks(t, "GET", admin+"api/node", key+"x", ""); status != 401 {
		t.Errorf("with another key: %d", status)
	}
	public := "http" + strings.TrimSuffix(strings.TrimPrefix(socket, "ws"), "ws")
	if status, _ := asks(t, "POST", public+"api/publish", key, `{"room":"a","data":1}`); status != 200 {
		t.Errorf("publish where clients connect: %d", status)
	}
	if status, _ := asks(t, "GET", public+"api/connections", key, ""); status != 403 {
		t.Errorf("connections where clients connect: %d", status)
	}
	if status, _ := asks(t, "GET", public+"metrics", key, ""); status == 200 {
		t.Error("metrics where clients connect")
	}
	status, text := get(t, "ws"+strings.TrimPrefix(strings.TrimSuffix(admin, "/"), "http")+"/ws", "/metrics")
	for _, want := range []string{
		`wireroom_publishes_total{outcome="stored"} 1`, "wireroom_ready 1", "wireroom_engine_up 1", "go_goroutines ",
		`wireroom_build_info{version="` + builtVersion + `"} 1`, `wireroom_api_requests_total{outcome="succeeded"} 2`,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("metrics, %d, have no %s", status, want)
		}
	}
}

func TestAnotherAddressForAdministratorsIsFoundOrTheConfiguredOneIsMissed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:8090")
	if err == nil { // otherwise somebody else has it, which is as good
		defer taken.Close()
	}
	first, _ := serve(t)
	if admin := first.after("admin "); !strings.HasPrefix(admin, "http://127.0.0.1:") || strings.Contains(admin, ":8090/") {
		t.Errorf("administrators are answered at %s", admin)
	}
	own, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if got := run(t, "serve", "--listen", "127.0.0.1:0", "--admin-listen", own.Addr().String()); got.status != exitFailed || !strings.Contains(got.err, "--admin-listen") {
		t.Errorf("%+v", got)
	}
	none, _ := serve(t, "--admin-listen", "off")
	for {
		line := none.line()
		if strings.Contains(line, "admin") {
			t.Errorf("said %q", line)
		}
		if strings.Contains(line, "note") {
			break
		}
	}
}

func TestPublishesByTheAPI(t *testing.T) {
	p := start(t, command(t, []string{"WIREROOM_ADMIN_KEY=a-key-of-administrators"}, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"))
	admin := p.after("admin ")
	c := command(t, []string{"WIREROOM_API_KEY=a-key-of-administrators"}, "pub", "--api", admin, "--event", "e", "--json", "general", "-")
	c.Stdin = strings.NewReader("1\n{\"n\":2}\n")
	got := finish(t, c)
	if got.status != exitDone || strings.Count(got.out, `"pos":`) != 2 {
		t.Errorf("%+v", got)
	}
	status, answer := asks(t, "GET", admin+"api/history?room=general", "a-key-of-administrators", "")
	messages, _ := answer["messages"].([]any)
	if status != 200 || len(messages) != 2 || messages[0].(map[string]any)["event"] != "e" {
		t.Errorf("stored: %d %v", status, answer)
	}
	for _, want := range []struct {
		environ   []string
		arguments []string
		status    int
	}{
		{nil, []string{"pub", "--api", admin, "a", "b"}, exitUsage},
		{[]string{"WIREROOM_API_KEY=another-key-than-that"}, []string{"pub", "--api", admin, "a", "b"}, exitRefused},
		{[]string{"WIREROOM_API_KEY=a-key-of-administrators"}, []string{"pub", "--api", admin, "no such room", "b"}, exitRefused},
		{[]string{"WIREROOM_API_KEY=k"}, []string{"pub", "--timeout", "300ms", "--api", "http://127.0.0.1:1", "a", "b"}, exitUnreachable},
	} {
		if got := finish(t, command(t, want.environ, want.arguments...)); got.status != want.status || got.err == "" {
			t.Errorf("%q: %+v", want.arguments, got)
		}
	}
}
