package wireroom_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/protocol"
)

// These hold docs/socketio.md to what there is.

func socketIOPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("docs/socketio.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// pageRows returns the cells of the table below a heading of the page, without its head.
func pageRows(t *testing.T, heading string) [][]string {
	t.Helper()
	_, text, found := strings.Cut(socketIOPage(t), "\n## "+heading+"\n")
	_, text, table := strings.Cut(text, "|---|")
	if !found || !table {
		t.Fatalf("there is no table below %q", heading)
	}
	var rows [][]string
	for _, line := range strings.Split(text, "\n")[1:] {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

var emitted = regexp.MustCompile("`socket\\.emit\\(\"(\\w+)\", \\{(.*)\\}(, ack)?\\)`")

// TestSocketIOEveryEventOfThePageIsAnswered emits what the page says that a client may, with the fields that it names.
func TestSocketIOEveryEventOfThePageIsAnswered(t *testing.T) {
	_, url := start(t, wireroom.Options{})
	e := newcomer(t, url, "other")
	values := map[string]string{
		"room": `"r"`, "last": "5", "presence": "true", "state": `{"typing":true}`, "data": "1", "event": `"said"`, "key": `"k"`, "echo": "false",
		"ephemeral": "false", "limit": "5", "next": `"a"`, "name": `"Ann"`, "ts": "7",
		"since": "", "before": "", "bytes": "", "producer": "", "seq": "", "token": "", // other ways to say it
	}
	inRoom := 0
	for i, row := range pageRows(t, "Words") {
		found := emitted.FindStringSubmatch(row[1])
		if found == nil {
			if row[0] != "any other" {
				t.Errorf("row %v", row)
			}
			continue
		}
		name, fields, acknowledged := found[1], strings.Split(found[2], ", "), found[3] != ""
		if protocol.KindOf(name) == protocol.KindOther || name != row[0] {
			t.Errorf("%s is no request", name)
		}
		var object []string
		for _, field := range fields {
			value, known := values[field]
			if field != "" && !known {
				t.Errorf("%s: %s is no field", name, field)
			}
			if value != "" {
				object = append(object, fmt.Sprintf("%q:%s", field, value))
			}
		}
		text := fmt.Sprintf(`42%%s["%s",{%s}]`, name, strings.Join(object, ","))
		switch {
		case !acknowledged:
			e.send(fmt.Sprintf(text, ""))
		case name == "leave":
			defer func() {
				e.send(fmt.Sprintf(text, "99"))
				e.event("position")
				if answer := e.ack(99); answer["ok"] != true {
					t.Errorf("leave: %v", answer)
				}
			}()
		case name == "auth": // before it is in a room
			fresh := newcomer(t, url)
			fresh.send(fmt.Sprintf(text, "1"))
			if answer := fresh.ack(1); answer["ok"] != true || answer["name"] != "Ann" {
				t.Errorf("auth: %v", answer)
			}
		default:
			e.send(fmt.Sprintf(text, fmt.Sprint(i)))
			if name == "join" {
				e.event("position")
				inRoom++
			}
			if answer := e.soonAck(i); answer["ok"] != true {
				t.Errorf("%s: %v", name, answer)
			}
		}
		if name == "ping" {
			e.envelope("pong")
		}
	}
	if inRoom != 1 {
		t.Errorf("%d rows have the client join", inRoom)
	}
}

// soonAck is ack behind events.
func (e *emitter) soonAck(id int) map[string]any {
	e.t.Helper()
	for {
		packet := e.packet()
		if text, ok := strings.CutPrefix(packet, fmt.Sprintf("43%d[", id)); ok {
			var answer map[string]any
			if err := json.Unmarshal([]byte(strings.TrimSuffix(text, "]")), &answer); err != nil {
				e.t.Fatalf("%s: %v", packet, err)
			}
			return answer
		}
		eventArgs(e.t, packet)
	}
}

// TestSocketIOTheHandlerOfThePageWorks has the page's handler, word for word.
func TestSocketIOTheHandlerOfThePageWorks(t *testing.T) {
	srv, url := start(t, wireroom.Options{})
	srv.Handle("add user", func(ctx context.Context, s *wireroom.Session, m wireroom.Message) error {
		name, photo := m.Data, m.Bytes                   // the first argument, as JSON, and the first binary value
		answer, err := s.Call(ctx, "are you sure", name) // waits for the client's acknowledgement; give ctx a deadline
		if err != nil {
			return err
		}
		return m.Reply(answer.Data, len(photo), len(m.Args), len(m.Attachments)) // the arguments of the acknowledgement
	})
	e := newcomer(t, url)
	e.send(`451-5["add user","Ann",{"_placeholder":true,"num":0},7]`)
	e.attach("photo")
	if got := e.packet(); got != `420["are you sure","Ann"]` {
		t.Fatal(got)
	}
	e.send(`430["yes"]`)
	if got := e.packet(); got != `435["yes",5,3,1]` {
		t.Error(got)
	}

	_, handler, _ := strings.Cut(socketIOPage(t), "\n```go\n")
	handler, _, _ = strings.Cut(handler, "```")
	source, err := os.ReadFile("socketio_docs_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if code := bare(handler); code == "" || !strings.Contains(bare(string(source)), code) {
		t.Errorf("the handler of the page is another one:\n%s", handler)
	}
}

// bare returns code without its layout.
func bare(code string) string { return strings.Join(strings.Fields(code), " ") }

var named = regexp.MustCompile(`\b(srv|s|m|SocketIO|Hooks|PublishOptions|protocol|Options|Limits)\.([A-Z]\w*)`)

// TestSocketIOThePageNamesWhatThereIs holds what the page calls in Go to the package.
func TestSocketIOThePageNamesWhatThereIs(t *testing.T) {
	types := map[string]reflect.Type{
		"srv": reflect.TypeFor[*wireroom.Server](), "s": reflect.TypeFor[*wireroom.Session](), "m": reflect.TypeFor[wireroom.Message](),
		"SocketIO": reflect.TypeFor[wireroom.SocketIO](), "Hooks": reflect.TypeFor[wireroom.Hooks](),
		"PublishOptions": reflect.TypeFor[wireroom.PublishOptions](), "Options": reflect.TypeFor[wireroom.Options](),
		"Limits": reflect.TypeFor[wireroom.Limits](),
	}
	seen := 0
	for _, found := range named.FindAllStringSubmatch(socketIOPage(t), -1) {
		kind, known := types[found[1]]
		if !known { // functions and constants, which a compiler has seen in the tests
			continue
		}
		seen++
		_, method := kind.MethodByName(found[2])
		field := false
		if kind.Kind() == reflect.Struct {
			_, field = kind.FieldByName(found[2])
		}
		if !method && !field {
			t.Errorf("there is no %s", found[0])
		}
	}
	if seen < 20 {
		t.Errorf("the page names %d things", seen)
	}
	_ = []any{protocol.Inbox("ann"), protocol.CloseForbidden}
	for i := range reflect.TypeFor[wireroom.SocketIO]().NumField() {
		if name := reflect.TypeFor[wireroom.SocketIO]().Field(i).Name; !regexp.MustCompile("[`.]" + name + "\\b").MatchString(socketIOPage(t)) {
			t.Errorf("the page has no %s", name)
		}
	}
}

// TestSocketIOTheSettingsOfThePageAreTheDefaults holds the numbers of the page to what a server does that nothing was told.
func TestSocketIOTheSettingsOfThePageAreTheDefaults(t *testing.T) {
	defaults := make(map[string]string)
	for _, row := range pageRows(t, "Settings") {
		name, _, _ := strings.Cut(strings.TrimPrefix(row[1], "`"), "`")
		defaults[name] = row[2]
	}
	seconds := func(name string) time.Duration {
		d, err := time.ParseDuration(strings.ReplaceAll(defaults[name], " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	_, url := start(t, wireroom.Options{})
	a := ask(t, web(url)+defaults["Paths"][1:len(defaults["Paths"])-1]+"?EIO=4&transport=polling")
	var hand struct{ PingInterval, PingTimeout, MaxPayload int }
	if err := json.Unmarshal([]byte(a.body[1:]), &hand); err != nil {
		t.Fatalf("%+v", a)
	}
	bytes := strings.ReplaceAll(strings.TrimSuffix(defaults["MaxPayload"], " bytes"), ",", "")
	for what, got := range map[string]string{
		fmt.Sprint(seconds("PingInterval").Milliseconds()): fmt.Sprint(hand.PingInterval),
		fmt.Sprint(seconds("PingTimeout").Milliseconds()):  fmt.Sprint(hand.PingTimeout),
		bytes: fmt.Sprint(hand.MaxPayload),
	} {
		if got != what {
			t.Errorf("%s, the page says %s", got, what)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		took, err := openVirtually(t, wireroom.Options{}).ends()
		if want := seconds("ConnectTimeout"); websocket.CloseStatus(err) != 4401 || took < want || took > want+2*time.Second {
			t.Errorf("%v after %v, the page says %v", err, took, want)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		upgrade := virtualUpgrade(t)
		began := time.Now()
		_, _, err := upgrade.Read(t.Context())
		if took, want := time.Since(began), seconds("UpgradeTimeout"); err == nil || took < want || took > want+2*time.Second {
			t.Errorf("%v after %v, the page says %v", err, took, want)
		}
	})
}

// TestSocketIOWhatANodeServerDoes has a server do what the page says instead of what a Node server does.
func TestSocketIOWhatANodeServerDoes(t *testing.T) {
	srv, url := start(t, wireroom.Options{
		SocketIO: wireroom.SocketIO{EventsOnly: true, NoRecovery: true, Namespaces: []string{"game"}},
		Hooks: wireroom.Hooks{OnOpen: func(ctx context.Context, s *wireroom.Session) error {
			if _, err := s.Join(ctx, protocol.Inbox(s.User()), wireroom.JoinOptions{}); err != nil {
				return err
			}
			return s.Send("hello", s.Namespace(), s.User())
		}},
	})
	publish := func(event string, to func(m wireroom.Message) string, o wireroom.PublishOptions, others bool) {
		srv.Handle(event, func(ctx context.Context, s *wireroom.Session, m wireroom.Message) error {
			if o.Event = "said"; others {
				o.Exclude = s.Client()
			}
			_, err := srv.Publish(ctx, to(m), m.Data, o)
			return err
		})
	}
	room := func(wireroom.Message) string { return "room" }
	publish("to room", room, wireroom.PublishOptions{}, false)
	publish("to others", room, wireroom.PublishOptions{}, true)
	publish("volatile", room, wireroom.PublishOptions{Ephemeral: true}, false)
	publish("to user", func(m wireroom.Message) string {
		var user string
		_ = json.Unmarshal(m.Args[1], &user) // a string
		return protocol.Inbox(user)
	}, wireroom.PublishOptions{}, false)
	srv.Handle("enter", func(ctx context.Context, s *wireroom.Session, m wireroom.Message) error {
		if _, err := s.Join(ctx, "room", wireroom.JoinOptions{}); err != nil {
			return err
		}
		members, err := srv.Members("room", "", 10)
		if err != nil {
			return err
		}
		return m.Reply(members.Count)
	})
	srv.Handle("exit", func(_ context.Context, s *wireroom.Session, m wireroom.Message) error {
		return m.Reply(s.Leave("room"))
	})
	srv.Handle("away", func(_ context.Context, s *wireroom.Session, _ wireroom.Message) error {
		s.Close(protocol.CloseForbidden, "reason", 0)
		return nil
	})

	var users []string
	var all []*emitter
	for i := range 2 {
		e := emit(t, url+socketIO, "")
		hello := e.event("hello")
		users, all = append(users, hello[1].(string)), append(all, e)
		e.send(`421["enter"]`)
		if got := e.packet(); hello[0] != "/" || got != fmt.Sprintf("431[%d]", i+1) {
			t.Fatal(hello, got)
		}
	}
	a, b := all[0], all[1]
	for _, row := range []struct{ packet, atA, atB string }{
		{`42["to room",1]`, `42["said",1]`, `42["said",1]`},
		{`42["to others",2]`, "", `42["said",2]`},
		{`42["volatile",3]`, `42["said",3]`, `42["said",3]`},
		{`42["to user",4,"` + users[1] + `"]`, "", `42["said",4]`},
		{`42["to user",5,"` + users[0] + `"]`, `42["said",5]`, ""},
	} {
		a.send(row.packet)
		for e, want := range map[*emitter]string{a: row.atA, b: row.atB} {
			if want != "" {
				if got := e.packet(); got != want {
					t.Fatalf("%s: received %s, want %s", row.packet, got, want)
				}
			}
		}
	}
	b.send(`422["exit"]`)
	if got := b.packet(); got != "432[true]" {
		t.Error(got)
	}
	a.send(`42["to room",6]`)
	if got := a.packet(); got != `42["said",6]` {
		t.Error(got)
	}
	b.connect("/game,", "")
	if got := b.packet(); !strings.HasPrefix(got, `42/game,["hello","/game",`) {
		t.Error(got)
	}
	b.send(`42["away"]`)
	if got := b.packet(); got != "41" { // and nothing that it was not to be told
		t.Error(got)
	}
}
