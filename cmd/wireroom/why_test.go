package main

import (
	"strings"
	"testing"
	"time"
)

func TestSaysWhyAUserDidNotGetAMessage(t *testing.T) {
	const key = "a-key-of-administrators"
	p := start(t, command(t, []string{"WIREROOM_ADMIN_KEY=" + key}, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"))
	admin := p.after("admin ")
	_, published := asks(t, "POST", admin+"api/publish", key, `{"room":"general","data":1}`)
	pos, _ := published["pos"].(string)
	why := func(environ string, arguments ...string) result {
		return finish(t, command(t, []string{"WIREROOM_API_KEY=" + environ}, append([]string{"why", "--api", admin}, arguments...)...))
	}
	if got := why(key, "ana", "general", pos); got.status != exitDone || !strings.HasPrefix(got.out, "not_joined: The user has not been on this node since ") {
		t.Errorf("by the position: %+v", got)
	}
	if got := why(key, "ana", "general", "1h"); got.status != exitDone || !strings.HasPrefix(got.out, "unknown: ") {
		t.Errorf("by the time: %+v", got)
	}
	if got := why(key, "--json", "ana", "general", pos); !strings.HasPrefix(got.out, `{"user":"ana","room":"general","stored":true,"pos":"`+pos) {
		t.Errorf("as JSON: %+v", got)
	}
	for _, want := range []struct {
		key, room, when string
		status          int
	}{
		{"", "general", pos, exitUsage},
		{key, "general", "whenever", exitUsage},
		{key, "general", "aaaaaaab.1.000000aa", exitRefused},
		{key, "no such room", "5m", exitRefused},
		{"another-key-than-that", "general", "5m", exitRefused},
	} {
		if got := why(want.key, "ana", want.room, want.when); got.status != want.status || got.err == "" || got.out != "" {
			t.Errorf("%+v: %+v", want, got)
		}
	}
}

func TestReadsTimesAsPeopleWriteThem(t *testing.T) {
	now := time.Date(2026, 3, 14, 15, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"5m": "14:55:00", "0s": "15:00:00", "14:03": "14:03:00", "14:03:12": "14:03:12", "2026-03-14 01:02": "01:02:00",
		"2026-03-14T02:03:04+01:00": "01:03:04",
	} {
		if at, err := parseWhen(text, now); err != nil || at.UTC().Format("2006-01-02 15:04:05") != "2026-03-14 "+want {
			t.Errorf("%s: %v %v", text, at, err)
		}
	}
	for _, text := range []string{"", "-5m", "yesterday", "14", "2026-03-14T25:00:00Z"} {
		if at, err := parseWhen(text, now); err == nil {
			t.Errorf("%s: %v", text, at)
		}
	}
}
