package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"testing"

	"github.com/wireroom/wireroom/test/faultproxy"
)

// The whole of the control protocol: what is asked happens, and what is wrong is said.
func TestIsDrivenByLines(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	proxy, err := faultproxy.New(faultproxy.Options{Target: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	in, commands := io.Pipe()
	answers, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- drive(proxy, in, out) }()
	lines := bufio.NewScanner(answers)
	var hello struct{ Listening string }
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &hello) != nil || hello.Listening != proxy.Addr() {
		t.Fatalf("it began with %q", lines.Text())
	}
	ask := func(line string, ok bool) (a answer) {
		t.Helper()
		if _, err := io.WriteString(commands, line+"\n"); err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() || json.Unmarshal(lines.Bytes(), &a) != nil || a.OK != ok || (a.Error == "") != ok {
			t.Fatalf("%s was answered %q", line, lines.Text())
		}
		return a
	}
	for _, wrong := range []string{`{`, `{"do":"jump"}`, `{"do":"half_close"}`, `{"do":"target"}`, `{"do":"set","up":{"latency_ms":"x"}}`} {
		ask(wrong, false)
	}
	ask(`{"do":"target","address":"`+server.Addr().String()+`"}`, true)
	ask(`{"do":"set","up":{"cut_after":5},"down":{"latency_ms":1}}`, true)
	client, err := net.Dial("tcp", hello.Listening)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	peer, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	if a := ask(`{"do":"counts"}`, true); a.Open != 1 || a.Total != 1 {
		t.Errorf("the counts are %+v", a)
	}
	if _, err := io.WriteString(client, "hello world"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(peer); err == nil || len(got) > 5 {
		t.Errorf("the server got %q, %v; the connection was to be cut after 5 bytes", got, err)
	}
	ask(`{"do":"set","refuse":true}`, true)
	ask(`{"do":"half_close","toward":"client"}`, true)
	ask(`{"do":"reset"}`, true)
	if err := commands.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
