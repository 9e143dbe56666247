package main

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
)

func TestTheDoctorSaysWhatToDo(t *testing.T) {
	got := run(t, "doctor", "--listen", "127.0.0.1:0")
	if got.status != exitDone || !strings.Contains(got.out, "descriptors") || !strings.Contains(got.out, "-> --data DIR keeps them") {
		t.Errorf("%+v", got)
	}
	got = run(t, "doctor", "--listen", "127.0.0.1:0", "--json", "--engine", "redis://127.0.0.1:1", "--redis-timeout", "1s")
	var report struct {
		Level    string
		Findings []struct{ Check, Level, Found, Advice string }
	}
	if err := json.Unmarshal([]byte(got.out), &report); err != nil || got.status != exitFailed || report.Level != "fail" {
		t.Errorf("%v: %+v", err, got)
	}
	for _, f := range report.Findings {
		if (f.Check == "engine") != (f.Level == "fail") || f.Level != "ok" && f.Level != "skipped" && f.Advice == "" {
			t.Errorf("%+v", f)
		}
	}
}

func TestTheDoctorSeesAServer(t *testing.T) {
	_, url := serve(t)
	host, _, _ := strings.Cut(strings.TrimPrefix(url, "ws://"), "/")
	if _, _, err := net.SplitHostPort(host); err != nil {
		t.Fatal(err)
	}
	if got := run(t, "doctor", "--listen", host); got.status != exitDone || !strings.Contains(got.out, "and is ready") {
		t.Errorf("%+v", got)
	}
}
