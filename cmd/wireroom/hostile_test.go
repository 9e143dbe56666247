package main

import (
	"bufio"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// upgradeWith is a request for a WebSocket, with more headers.
func upgradeWith(headers ...string) string {
	return "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" + strings.Join(append(headers, "", ""), "\r\n")
}

// TestHostileRequests sends what has broken servers before, byte by byte as it stands here, to the program.
func TestHostileRequests(t *testing.T) {
	_, url := serve(t)
	many := make([]string, 2000)
	for i := range many {
		many[i] = "X-" + strconv.Itoa(i) + ": 1"
	}
	for _, row := range []struct {
		name, request string
		want          int
	}{
		{"nothing wrong", upgradeWith(), http.StatusSwitchingProtocols},
		{"2,000 headers", upgradeWith(many...), http.StatusRequestHeaderFieldsTooLarge},
		{"2 MB of headers", upgradeWith("X-Long: " + strings.Repeat("x", 2<<20)), http.StatusRequestHeaderFieldsTooLarge},
		{"a URL of 64 KiB", "GET /ws?" + strings.Repeat("x", 64<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		{"spaces within a subprotocol", upgradeWith("Sec-WebSocket-Protocol: b" + strings.Repeat(" ", 12_000) + "x"), http.StatusBadRequest},
		{"an unclosed quote in an extension", upgradeWith(`Sec-WebSocket-Extensions: a; b="` + strings.Repeat(`\c`, 6_000)), http.StatusBadRequest},
		{"extensions named as in JavaScript", upgradeWith("Sec-WebSocket-Extensions: constructor, __proto__; toString"), http.StatusSwitchingProtocols},
		{"no key", strings.Replace(upgradeWith(), "Sec-WebSocket-Key", "X-Key", 1), http.StatusBadRequest},
		{"a short key", strings.Replace(upgradeWith(), "AAAAAAAAAAAAAAAAAAAAAA==", "AAAA", 1), http.StatusBadRequest},
		{"another version", strings.Replace(upgradeWith(), "Version: 13", "Version: 8", 1), http.StatusUpgradeRequired},
		{"no version", strings.Replace(upgradeWith(), "Sec-WebSocket-Version: 13\r\n", "", 1), http.StatusUpgradeRequired},
		{"POST", strings.Replace(upgradeWith(), "GET", "POST", 1), http.StatusMethodNotAllowed},
		{"HTTP/1.0", strings.Replace(upgradeWith(), "HTTP/1.1", "HTTP/1.0", 1), http.StatusBadRequest},
		{"h2c", strings.Replace(upgradeWith("HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"), "websocket", "h2c", 1), http.StatusUpgradeRequired},
		{"no upgrade", "GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", http.StatusUpgradeRequired},
		{"a body", upgradeWith("Content-Length: 5") + "hello", http.StatusBadRequest},
		{"a length and chunks", upgradeWith("Content-Length: 5", "Transfer-Encoding: chunked") + "0\r\n\r\n", http.StatusBadRequest},
		{"two lengths", upgradeWith("Content-Length: 5", "Content-Length: 6"), http.StatusBadRequest},
		{"a space before the colon", upgradeWith("X-Space : 1"), http.StatusBadRequest},
		{"two hosts", upgradeWith("Host: y"), http.StatusBadRequest},
		{"no host", strings.Replace(upgradeWith(), "Host: x\r\n", "", 1), http.StatusBadRequest},
		{"another transfer coding", upgradeWith("Transfer-Encoding: gzip"), http.StatusNotImplemented},
		{"chunks without end", strings.Replace(upgradeWith("Transfer-Encoding: chunked"), "GET", "POST", 1) + "fffffffffffffffff\r\n", http.StatusMethodNotAllowed},
		{"line feeds alone, which end lines of a header", strings.ReplaceAll(upgradeWith(), "\r\n", "\n"), http.StatusSwitchingProtocols},
		{"a line feed alone hides no header", strings.Replace(upgradeWith("Origin: https://evil.example"), "\r\nOrigin", "\nOrigin", 1), http.StatusForbidden},
		{"a carriage return alone", upgradeWith("X-Return: a\rb"), http.StatusBadRequest},
		{"a carriage return alone at the end of a line", strings.Replace(upgradeWith("X-Return: a"), "X-Return: a\r\n", "X-Return: a\r", 1), http.StatusBadRequest},
		{"a bare line feed in a chunk", strings.Replace(upgradeWith("Transfer-Encoding: chunked"), "GET /ws", "POST /send", 1) + "2;a\nx\r\n{}\r\n0\r\n\r\n", http.StatusBadRequest},
		{"control characters in a header", upgradeWith("X-Control: a\x00b"), http.StatusBadRequest},
		{"control characters in a path", "GET /ws\x01 HTTP/1.1\r\nHost: x\r\n\r\n", http.StatusBadRequest},
		{"a line end in a name", strings.Replace(upgradeWith(), "/ws", "/ws?name=a%0D%0Ab", 1), http.StatusBadRequest},
		{"a name that is not UTF-8", strings.Replace(upgradeWith(), "/ws", "/ws?name=%ff", 1), http.StatusBadRequest},
		{"a name of 129 bytes", strings.Replace(upgradeWith(), "/ws", "/ws?name="+strings.Repeat("n", 129), 1), http.StatusBadRequest},
		{"a token of 9 KiB", strings.Replace(upgradeWith(), "/ws", "/ws?token="+strings.Repeat("t", 9<<10), 1), http.StatusBadRequest},
		{"another site's page", upgradeWith("Origin: https://evil.example"), http.StatusForbidden},
		{"a URL of another host", strings.Replace(upgradeWith(), "/ws", "http://internal.example/ws", 1), http.StatusForbidden},
		{"a proxy's method", "CONNECT internal.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", http.StatusForbidden},
		{"a path out of the tree", "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", http.StatusTemporaryRedirect},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := dialTCP(t, url)
			if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = io.WriteString(c, row.request) }() // the server may answer and close before all is there
			response, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != row.want {
				t.Errorf("answered with %s, want %d", response.Status, row.want)
			}
			if row.want == http.StatusUpgradeRequired && response.Header.Get("Sec-WebSocket-Version") != "13" {
				t.Error("the answer does not name the version")
			}
		})
	}
	if status, _ := get(t, url, "/readyz"); status != http.StatusOK {
		t.Errorf("afterwards /readyz is %d", status)
	}
}

func TestTakesFramesThatCameWithTheRequest(t *testing.T) {
	_, url := serve(t)
	c := dialTCP(t, url)
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	const ping = `{"type":"ping","ts":77}`
	frame := append([]byte{0x81, 0x80 | byte(len(ping)), 0, 0, 0, 0}, ping...)
	if _, err := c.Write(append([]byte(upgradeWith()), frame...)); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for buffer := make([]byte, 4096); !strings.Contains(string(got), `"type":"pong","ts":77`); {
		n, err := c.Read(buffer)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, buffer[:n]...)
	}
}

func TestARefusedUpgradeReadsNoFrames(t *testing.T) {
	_, url := serve(t)
	c := dialTCP(t, url)
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(c, strings.Replace(upgradeWith(), "Version: 13", "Version: 8", 1)+"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	}()
	all, _ := io.ReadAll(c) // to its end
	if n := strings.Count(string(all), "HTTP/1.1 "); n != 1 {
		t.Errorf("%d answers: what follows a refused upgrade may be frames, and must not be a request\n%s", n, all)
	}
}
