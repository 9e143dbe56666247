package main

import (
	"net/http"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// After a write that failed the server acknowledges nothing more and is not ready, with the reason; a restart recovers.
func TestServerStopsStoringAfterAFailedWrite(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	server, url := serve(t, "--data", data)
	first := read(t, run(t, "pub", "general", "one", "--server", url).out)
	none := unix.Rlimit{Cur: 1, Max: 1} // bytes a file may have: every further write fails with EFBIG
	if err := unix.Prlimit(server.command.Process.Pid, unix.RLIMIT_FSIZE, &none, nil); err != nil {
		t.Fatal(err)
	}
	refused := start(t, command(t, nil, "pub", "general", "two", "--server", url))
	status, body := get(t, url, "/readyz")
	for deadline := time.Now().Add(patience); status == http.StatusOK && time.Now().Before(deadline); status, body = get(t, url, "/readyz") {
		time.Sleep(10 * time.Millisecond)
	}
	if status != http.StatusServiceUnavailable || body != "the engine stores nothing\n" {
		t.Fatalf("/readyz is %d: %s", status, body)
	}
	server.says(syscall.EFBIG.Error()) // to whoever reads the log
	again := start(t, command(t, nil, "pub", "general", "three", "--server", url))
	time.Sleep(300 * time.Millisecond) // for an acknowledgement that must not come
	for _, p := range []*process{refused, again} {
		select {
		case line, acknowledged := <-p.lines: // otherwise it has ended, as nobody is let in any more
			if acknowledged {
				t.Fatalf("%q says %q after the failure", p.command.Args, line)
			}
			p.status()
			continue
		default:
		}
		p.signal(syscall.SIGKILL)
		p.status()
	}
	server.signal(syscall.SIGKILL)
	server.status()

	_, url = serve(t, "--data", data)
	if status, body := get(t, url, "/readyz"); status != http.StatusOK {
		t.Fatalf("/readyz is %d after the restart: %s", status, body)
	}
	last := read(t, run(t, "pub", "general", "four", "--server", url).out)
	got := read(t, run(t, "sub", "general", "--last", "10", "--count", "2", "--server", url).out)
	if len(first) != 1 || len(last) != 1 || len(got) != 2 || got[0].Pos != first[0].Pos {
		t.Fatalf("after the restart there is %+v; published were %+v and %+v", got, first, last)
	}
}
