package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/wireroom/wireroom/client"
)

func TestServesWithoutArguments(t *testing.T) {
	server, url := serve(t)
	if !strings.HasPrefix(url, "ws://127.0.0.1:") || !strings.HasSuffix(url, "/ws") {
		t.Errorf("the URL is %s", url)
	}
	if admin, key := server.after("admin "), server.after("admin key"); !strings.HasPrefix(admin, "http://127.0.0.1:") || key == "" {
		t.Errorf("administrators are answered at %q, by the key %q", admin, key)
	}
	for notes := ""; !strings.Contains(notes, "development defaults") || !strings.Contains(notes, "kept in memory"); {
		notes += server.line()
	}
	if status, body := get(t, url, "/"); status != http.StatusOK || !strings.Contains(body, "<title>") {
		t.Errorf("the chat page is %d %q", status, body)
	}
	if status, body := get(t, url, "/healthz"); status != http.StatusOK || body != "ok\n" {
		t.Errorf("the health is %d %q", status, body)
	}
	if status, _ := get(t, url, "/absent"); status != http.StatusNotFound {
		t.Errorf("what is not there is %d", status)
	}
	sub := start(t, command(t, nil, "sub", "general", "--server", url, "--presence"))
	sub.line() // it is in the room
	if got := run(t, "pub", "general", "hello", "--server", url); got.status != exitDone {
		t.Errorf("publishing gives %+v", got)
	}
	if line := sub.line(); !strings.Contains(line, "user_joined") && !strings.Contains(line, `"data":"hello"`) {
		t.Errorf("the subscriber sees %s", line)
	}
}

func TestSaysWhatIsNotForProduction(t *testing.T) {
	for _, row := range []struct {
		arguments []string
		environ   []string
		want      []string
		not       []string
	}{
		{
			arguments: []string{"--listen", "127.0.0.1:0"},
			want:      []string{"chat       http://127.0.0.1:", "development defaults: only this machine"}, not: []string{"NO LIMITS", "no TLS"},
		},
		{
			arguments: []string{"--listen", "0.0.0.0:0", "--no-limits", "--origins", "*"},
			want:      []string{"ws://localhost:", "NO LIMITS", "whoever reaches this machine may connect", "no TLS", "pages from anywhere"},
			not:       []string{"development defaults"},
		},
		{
			arguments: []string{"--listen", "127.0.0.1:0", "--no-chat", "--anonymous", "--paths", "/a,/b"},
			environ:   []string{"WIREROOM_SECRET=" + secret},
			want:      []string{"/a", "/b", "clients without a token are let in"},
			not:       []string{"chat  ", "development defaults", secret},
		},
		{
			arguments: []string{"--listen", "127.0.0.1:0", "--paths", "/a"}, want: []string{"/a"}, not: []string{"chat  "},
		},
	} {
		server := start(t, command(t, row.environ, append([]string{"serve"}, row.arguments...)...))
		var said strings.Builder
		for line := ""; !strings.Contains(line, "kept in memory"); { // the last one
			line = server.line()
			said.WriteString(line + "\n")
		}
		for _, want := range row.want {
			if !strings.Contains(said.String(), want) {
				t.Errorf("%q does not say %q:\n%s", row.arguments, want, said.String())
			}
		}
		for _, not := range row.not {
			if strings.Contains(said.String()+server.errors.String(), not) {
				t.Errorf("%q says %q:\n%s", row.arguments, not, said.String())
			}
		}
	}
}

func TestSpeaksJSONToPrograms(t *testing.T) {
	server := start(t, command(t, []string{"WIREROOM_LISEN=x"}, "serve", "--listen", "127.0.0.1:0", "--log-format", "json"))
	server.says("kept in memory")
	for line := range strings.Lines(server.errors.String()) {
		var entry struct{ Level, Msg, URL string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("no JSON: %s", line)
		}
		if entry.Msg == "serving" && !strings.HasPrefix(entry.URL, "http://127.0.0.1:") {
			t.Errorf("the URL is missing: %s", line)
		}
	}
	if said := server.errors.String(); !strings.Contains(said, "WIREROOM_LISEN is no setting") || !strings.Contains(said, `"serving"`) {
		t.Errorf("said %s", said)
	}
	server.signal(syscall.SIGTERM)
	if server.status() != exitDone {
		t.Errorf("ended with %d: %s", server.status(), server.errors)
	}
	for line := range server.lines {
		t.Errorf("standard output has %s", line)
	}
}

func TestDrainsOnASignal(t *testing.T) {
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		server, url := serve(t, "--drain-timeout", "3s")
		sub := start(t, command(t, nil, "sub", "general", "--server", url, "--presence"))
		sub.line()
		server.signal(s)
		sub.says(`connection closed with 4503 "draining"`)
		if status := server.status(); status != exitDone || !strings.Contains(server.errors.String(), "msg=drained") {
			t.Errorf("after %v the server ended with %d: %s", s, status, server.errors)
		}
	}
}

func TestIsNotReadyWhileItDrains(t *testing.T) {
	server, url := serve(t, "--drain-timeout", "10m")
	if status, _ := get(t, url, "/readyz"); status != http.StatusOK {
		t.Fatalf("/readyz is %d", status)
	}
	upgrade(t, dialTCP(t, url))
	server.signal(syscall.SIGTERM)
	server.says("draining")
	for {
		status, _ := get(t, url, "/readyz")
		if status == http.StatusServiceUnavailable {
			break
		}
	}
	if status, _ := get(t, url, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz is %d", status)
	}
	server.signal(syscall.SIGTERM)
	if status := server.status(); status != -1 {
		t.Errorf("the second signal ended it with %d", status)
	}
}

// upgrade makes a WebSocket of a connection, waits for its welcome, and then never does anything.
func upgrade(t *testing.T, c net.Conn) {
	t.Helper()
	const request = "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	if _, err := c.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	var answer []byte
	for !bytes.Contains(answer, []byte(`"type":"welcome"`)) {
		part := make([]byte, 4096)
		n, err := c.Read(part)
		if answer = append(answer, part[:n]...); err != nil {
			t.Fatalf("the answer is %q, %v", answer, err)
		}
	}
}

func TestTheSettingsReachTheServer(t *testing.T) {
	long := strings.Repeat("x", 2<<10)
	_, url := serve(t, "--limits-max-message", "1KiB")
	if got := run(t, "pub", "a", long, "--server", url); got.status != exitRefused {
		t.Errorf("a message that is too long: %+v", got)
	}
	_, url = serve(t, "--limits-max-message", "1KiB", "--no-limits")
	if got := run(t, "pub", "a", long, "--server", url); got.status != exitDone {
		t.Errorf("with no limits: %+v", got)
	}
	_, url = serve(t, "--limits-max-message", "0")
	if got := run(t, "pub", "a", strings.Repeat("x", 100<<10), "--server", url); got.status != exitDone {
		t.Errorf("with a limit of 0: %+v", got)
	}
}

func TestReadsTheFileInItsFolder(t *testing.T) {
	c := command(t, nil, "serve", "--listen", "127.0.0.1:0")
	writeFile(t, filepath.Join(c.Dir, "wireroom.yaml"), "listen: nonsense but for the flag:0\npaths: [/own]\n")
	server := start(t, c)
	url := server.url()
	if !strings.HasSuffix(url, "/own") {
		t.Errorf("the URL is %s", url)
	}
	if got := run(t, "pub", "a", "b", "--server", url); got.status != exitDone {
		t.Errorf("publishing there gives %+v", got)
	}
	for !strings.Contains(server.line(), "settings   wireroom.yaml") {
	}
}

func TestLetsInWhoHasAToken(t *testing.T) {
	c := command(t, []string{"WIREROOM_SECRET=" + secret, "WIREROOM_ACCESS=signed-in"}, "serve", "--listen", "127.0.0.1:0")
	url := start(t, c).url()
	got := run(t, "pub", "a", "b", "--server", url)
	if got.status != exitRefused || !strings.Contains(got.err, "The server wants a token") {
		t.Errorf("without a token: %+v", got)
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "alice", "name": "Alice"}).SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "token")
	writeFile(t, file, " "+token+" \n")
	if got := run(t, "pub", "a", "b", "--server", url, "--token-file", file); got.status != exitDone {
		t.Errorf("with a token: %+v", got)
	}
	got = finish(t, command(t, []string{"WIREROOM_TOKEN=" + token, "WIREROOM_SERVER=" + url}, "sub", "a", "--last", "1", "--count", "1"))
	if got.status != exitDone || !strings.Contains(got.out, `"from":{"user":"alice"`) || !strings.Contains(got.out, `"name":"Alice"`) {
		t.Errorf("the message is %+v", got)
	}
}

func TestServesTLS(t *testing.T) {
	folder := t.TempDir()
	certFile, keyFile := filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	writeCertificate(t, certFile, keyFile)
	_, url := serve(t, "--tls-cert-file", certFile, "--tls-key-file", keyFile)
	if !strings.HasPrefix(url, "wss://127.0.0.1:") {
		t.Fatalf("the URL is %s", url)
	}
	got := finish(t, command(t, []string{"SSL_CERT_FILE=" + certFile}, "pub", "a", "b", "--server", url))
	if got.status != exitDone {
		t.Errorf("over TLS: %+v", got)
	}
	got = run(t, "pub", "a", "b", "--server", url)
	if got.status != exitUnreachable || !strings.Contains(got.err, "certificate") {
		t.Errorf("with a certificate that nobody vouches for: %+v", got)
	}
}

func TestAnonymousUsersReturnAfterARestart(t *testing.T) {
	arguments := []string{"serve", "--anonymous", "--listen"}
	environ := []string{"WIREROOM_SECRET=" + secret}
	server := start(t, command(t, environ, append(arguments, "127.0.0.1:0")...))
	url := server.url()
	before, err := client.Dial(t.Context(), url, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	user, token := before.Welcome().User, before.Token()
	before.Close()
	server.signal(syscall.SIGKILL)
	server.status()
	start(t, command(t, environ, append(arguments, strings.TrimSuffix(strings.TrimPrefix(url, "ws://"), "/ws"))...)).url()
	after, err := client.Dial(t.Context(), url, client.Options{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	if got := after.Welcome().User; got != user {
		t.Errorf("%s came back as %s", user, got)
	}
}

func TestServesNoChatWhereThereIsToBeNone(t *testing.T) {
	_, url := serve(t, "--no-chat")
	if status, _ := get(t, url, "/"); status != http.StatusNotFound {
		t.Errorf("/ is %d", status)
	}
}

func TestEndsAHandshakeThatTakesTooLong(t *testing.T) {
	_, url := serve(t, "--limits-handshake-timeout", "100ms")
	c := dialTCP(t, url)
	if _, err := c.Write([]byte("GET /ws HTTP/1.1\r\nHost: x\r\nX-Slow: ")); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the server waits for ever")
	}
}

func TestRefusesALongHeader(t *testing.T) {
	_, url := serve(t)
	c := dialTCP(t, url)
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	// The server may close before all of it is written.
	_, _ = c.Write([]byte("GET /ws HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("x", 32<<10) + "\r\n\r\n"))
	answer := make([]byte, len("HTTP/1.1 431"))
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "HTTP/1.1 431" {
		t.Errorf("the answer is %q, %v", answer, err)
	}
}

// dialTCP connects to the server of a WebSocket URL.
func dialTCP(t *testing.T, url string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(url, "ws://"), "/ws"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestSaysWhyItCannotListen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	got := run(t, "serve", "--listen", taken.Addr().String())
	if got.status != exitFailed || !strings.Contains(got.err, taken.Addr().String()) || !strings.Contains(got.err, "Choose another port") {
		t.Errorf("on a port that is taken: %+v", got)
	}
}
