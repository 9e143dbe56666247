package main

import (
	"encoding/json"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// printed is a line of pub or sub.
type printed struct {
	Type  string          `json:"type"`
	Room  string          `json:"room"`
	Pos   string          `json:"pos"`
	Event string          `json:"event"`
	Data  json.RawMessage `json:"data"`
	From  struct{ Name string }
}

// read parses lines of pub or sub.
func read(t *testing.T, text string) []printed {
	t.Helper()
	var all []printed
	for line := range strings.Lines(text) {
		var p printed
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, p)
	}
	return all
}

func TestPrintsOneObjectALine(t *testing.T) {
	_, url := serve(t)
	pub := command(t, nil, "pub", "general", "-", "--server", url, "--name", "Alice", "--event", "greeting")
	pub.Stdin = strings.NewReader("one\ntwo \"quoted\"\n\nfour")
	got := finish(t, pub)
	published := read(t, got.out)
	if got.status != exitDone || got.err != "" || len(published) != 4 {
		t.Fatalf("publishing gives %+v", got)
	}
	got = run(t, "sub", "general", "--server", url, "--last", "3", "--count", "3")
	messages := read(t, got.out)
	if got.status != exitDone || len(messages) != 3 {
		t.Fatalf("subscribing gives %+v", got)
	}
	for i, want := range []string{`"two \"quoted\""`, `""`, `"four"`} {
		m := messages[i]
		if m.Type != "message" || m.Room != "general" || m.Pos != published[i+1].Pos || m.Event != "greeting" || m.From.Name != "Alice" || string(m.Data) != want {
			t.Errorf("message %d is %+v, want %s at %s", i, m, want, published[i+1].Pos)
		}
	}
	got = run(t, "sub", "general", "--server", url, "--since", published[2].Pos, "--count", "1")
	if messages := read(t, got.out); len(messages) != 1 || messages[0].Pos != published[3].Pos {
		t.Errorf("since the third there are %+v", got)
	}
}

func TestPublishesJSONAsItIs(t *testing.T) {
	_, url := serve(t)
	const text = `{"b": 1,  "a": [2]}`
	if got := run(t, "pub", "general", text, "--json", "--server", url); got.status != exitDone {
		t.Fatalf("publishing gives %+v", got)
	}
	got := run(t, "sub", "general", "--server", url, "--last", "1", "--count", "1")
	if !strings.Contains(got.out, `"data":`+text) {
		t.Errorf("the message is %s", got.out)
	}
}

func TestSubEndsWellWhenItIsToldTo(t *testing.T) {
	_, url := serve(t)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		sub := start(t, command(t, nil, "sub", "general", "--server", url, "--presence"))
		if line := sub.line(); !strings.Contains(line, `"type":"presence"`) {
			t.Errorf("the first line is %s", line)
		}
		sub.signal(s)
		if status := sub.status(); status != exitDone || sub.errors.String() != "" {
			t.Errorf("after %v it ended with %d: %s", s, status, sub.errors)
		}
	}
}

func TestSubEndsWellWhileItConnects(t *testing.T) {
	deaf, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	sub := start(t, command(t, nil, "sub", "a", "--server", "ws://"+deaf.Addr().String()+"/ws"))
	c, err := deaf.Accept() // and it gets no answer
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sub.signal(syscall.SIGINT)
	if status := sub.status(); status != exitDone {
		t.Errorf("it ended with %d: %s", status, sub.errors)
	}
}

func TestGivesUpConnectingInTime(t *testing.T) {
	deaf, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	got := run(t, "pub", "a", "b", "--server", "ws://"+deaf.Addr().String()+"/ws", "--timeout", "100ms")
	if got.status != exitUnreachable || !strings.Contains(got.err, "no connection within 100ms") {
		t.Errorf("got %+v", got)
	}
}

func TestSubComesBackByItself(t *testing.T) {
	server, url := serve(t)
	address := strings.TrimSuffix(strings.TrimPrefix(url, "ws://"), "/ws")
	sub := start(t, command(t, nil, "sub", "general", "--server", url, "--presence"))
	sub.line()
	if err := server.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	sub.says("trying again")
	server.status()
	start(t, command(t, nil, "serve", "--listen", address)).url()
	sub.says("connected again")
	for {
		if line := sub.line(); strings.Contains(line, `"type":"presence"`) {
			break
		}
	}
	run(t, "pub", "general", "after", "--server", url)
	for {
		if line := sub.line(); strings.Contains(line, `"data":"after"`) {
			break
		}
	}
}

func TestTheTokenComesFromAFileOrTheEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	writeFile(t, file, " from.a.file \r\n")
	p := &program{environ: []string{"WIREROOM_TOKENS=no", "WIREROOM_TOKEN=from.the=environment"}}
	for flag, want := range map[string]string{file: "from.a.file", "": "from.the=environment"} {
		c := connection{TokenFile: flag}
		if got, err := c.token(p); got != want || err != nil {
			t.Errorf("with --token-file %q the token is %q, %v, want %q", flag, got, err, want)
		}
	}
}

func TestTheExitStatusSaysWhoIsToBlame(t *testing.T) {
	_, url := serve(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "ws://" + closed.Addr().String() + "/ws"
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		arguments []string
		status    int
		want      string
	}{
		{[]string{"pub", "a", "b", "--server", nobody}, exitUnreachable, "`wireroom serve` starts a server"},
		{[]string{"sub", "a", "--server", nobody}, exitUnreachable, "connection refused"},
		{[]string{"pub", "a", "b", "--server", url + "/absent"}, exitUnreachable, "no Wireroom under this path"},
		{[]string{"pub", "a", "b", "--server", "ftp://x"}, exitUnreachable, "ftp"},
		{[]string{"pub", "$a", "b", "--server", url}, exitRefused, "invalid_room"},
		{[]string{"sub", "@somebody", "--server", url}, exitRefused, "forbidden"},
		{[]string{"pub", "a", "{", "--json", "--server", url}, exitUsage, "the text is no JSON"},
		{[]string{"pub", "a"}, exitUsage, "`wireroom pub --help`"},
		{[]string{"pub", "a", "b", "--token-file", "/absent"}, exitUsage, "read the token: open /absent"},
		{[]string{"sub", "a", "--since", "x"}, exitUsage, "not a position"},
		{[]string{"sub", "a", "--last=-1"}, exitUsage, "not negative"},
		{[]string{"sub", "a", "--last=1", "--since=x"}, exitUsage, "can't be used together"},
		{[]string{"srve"}, exitUsage, `did you mean "serve"?`},
		{[]string{"serve", "--lisen", "x"}, exitUsage, `did you mean "--listen"?`},
		{[]string{"serve", "--secret", "x"}, exitUsage, `unknown flag --secret`},
		{[]string{"serve", "--ping-interval", "x"}, exitUsage, `--ping-interval`},
		{[]string{"serve", "--listen", "x"}, exitConfig, "listen from --listen"},
		{[]string{"serve", "--config", "absent.yaml"}, exitConfig, "wireroom config init > absent.yaml"},
	} {
		got := run(t, row.arguments...)
		if got.status != row.status || !strings.Contains(got.err, row.want) || got.out != "" {
			t.Errorf("%q ends with %d, want %d and %q: %s%s", row.arguments, got.status, row.status, row.want, got.out, got.err)
		}
	}
}
