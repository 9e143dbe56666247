package main

import (
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

func TestEverySettingReachesTheServer(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	c := config.Config{
		Node: "here", Paths: []string{"/a"}, Origins: []string{"https://a.example"}, Anonymous: true, Compression: true,
		PingInterval: 7 * time.Second, Secret: secret, Rules: []config.Rule{{Pattern: "a"}},
		Limits: config.Limits{
			MaxMessage: 1, MaxRooms: 2, PublishRate: 3, PublishBurst: 4, JoinRate: 5, JoinBurst: 6, AuthTimeout: 7,
		},
	}
	want := wireroom.Options{
		Node: "here", Paths: []string{"/a"}, Origins: []string{"https://a.example"}, Anonymous: true, Compress: true,
		PingInterval: 7 * time.Second, Secret: []byte(secret), Auth: auth.HMAC([]byte(secret)), Logger: logger,
		Rules: []wireroom.Rule{{Pattern: "a", NoPresence: true}},
		Limits: wireroom.Limits{
			MaxMessage: 1, Rooms: 2, PublishRate: 3, PublishBurst: 4, JoinRate: 5, JoinBurst: 6, AuthTimeout: 7,
		},
	}
	got := serverOptions(&c, logger)
	if reflect.TypeOf(got.Auth) != reflect.TypeOf(want.Auth) {
		t.Errorf("tokens are known by %T, want %T", got.Auth, want.Auth)
	}
	got.Auth, want.Auth = nil, nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the options are %+v, want %+v", got, want)
	}

	c.Secret = ""
	if got := serverOptions(&c, logger); got.Auth != nil || got.Secret != nil {
		t.Errorf("without a secret the options are %+v", got)
	}
	c.NoLimits = true
	none := wireroom.Limits{MaxMessage: -1, Rooms: -1, PublishRate: -1, PublishBurst: -1, JoinRate: -1, JoinBurst: -1, AuthTimeout: -1}
	if got := serverOptions(&c, logger).Limits; got != none {
		t.Errorf("with no limits they are %+v", got)
	}
}

func TestTheDefaultsAreThoseOfTheServer(t *testing.T) {
	c := config.Default()
	for _, row := range []struct {
		name      string
		got, want any
	}{
		{"paths", c.Paths, []string{wireroom.DefaultPath}},
		{"ping_interval", c.PingInterval, wireroom.DefaultPingInterval},
		{"rules", config.DefaultRule().History.Messages, wireroom.DefaultRule().History.Messages},
	} {
		if !reflect.DeepEqual(row.got, row.want) {
			t.Errorf("the default of %s is %v, and the server's %v", row.name, row.got, row.want)
		}
	}
}
