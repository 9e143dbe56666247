package wireroom_test

import (
	"context"
	"strings"
	"testing"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/engine"
)

func TestWrongOptionsAreErrorsThatNameThem(t *testing.T) {
	for want, o := range map[string]wireroom.Options{
		`"ws" does not begin with /`:     {Paths: []string{"ws"}},
		`"/a/{b}" is a pattern`:          {Paths: []string{"/a/{b}"}},
		`"/a" is served already`:         {Paths: []string{"/a", "/b", "/a"}},
		`"/readyz" is served already`:    {Paths: []string{"/readyz"}},
		"Options.Secret: 5 bytes":        {Secret: []byte("short")},
		"Options.PingInterval: negative": {PingInterval: -1},
		`rule 1 ("***")`:                 {Rules: []wireroom.Rule{{Pattern: "***"}}},
		`rule 1 ("a"): a negative bound`: {Rules: []wireroom.Rule{{Pattern: "a", History: engine.Retention{Messages: -1}}}},
	} {
		server, err := wireroom.New(context.Background(), o)
		if err == nil {
			_ = server.Close()
			t.Errorf("%+v is accepted, want an error with %s", o, want)
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q, want one with %s", err, want)
		}
	}
}
