// Package outside_test runs clients that others wrote, as they are, against a Wireroom server.
package outside_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom"
)

// debianPython is the Python that sees Debian's packages; another one may stand first on the path.
const debianPython = "/usr/bin/python3"

func TestForeignClients(t *testing.T) {
	for name, command := range map[string][]string{
		"npm ws":            {"node", "client.mjs"},
		"python websockets": {debianPython, "client.py"},
	} {
		for mode, o := range map[string]wireroom.Options{
			"loop":       {},
			"portable":   {Portable: true},
			"compressed": {Compress: true},
		} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				run(t, o, append(slices.Clone(command), "/ws"), nil)
			})
		}
	}
}

// run runs a client with the URL as its last argument, or where command ends with a path, with that of a WebSocket there.
// It fails by its exit code.
func run(t *testing.T, o wireroom.Options, command []string, prepare func(*wireroom.Server)) {
	o.Logger = slog.New(slog.DiscardHandler)
	server, err := wireroom.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		prepare(server)
	}
	web := httptest.NewServer(server)
	defer func() {
		web.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	url, last := web.URL, len(command)-1
	if strings.HasPrefix(command[last], "/") {
		url, command = "ws"+strings.TrimPrefix(url, "http")+command[last], command[:last]
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := exec.CommandContext(ctx, command[0], append(append([]string{}, command[1:]...), url)...)
	var output bytes.Buffer
	client.Stdout, client.Stderr = &output, &output
	if err := client.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", command, err, output.String())
	}
	if !strings.Contains(output.String(), "passed") {
		t.Fatalf("%v did not say that it passed:\n%s", command, output.String())
	}
}

func TestMain(m *testing.M) {
	for _, need := range []struct{ path, install string }{
		{"node_modules/ws", "run `npm ci` in test/outside"},
		{"node_modules/socket.io-client", "run `npm ci` in test/outside"},
		{"/usr/lib/python3/dist-packages/websockets", "run `apt-get install python3-websockets`"},
		{"/usr/lib/python3/dist-packages/socketio", "run `apt-get install python3-socketio`"},
	} {
		if _, err := os.Stat(need.path); err != nil {
			_, _ = os.Stderr.WriteString(need.path + " is missing: " + need.install + ", or `make test`, which does\n")
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}
