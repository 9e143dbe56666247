package main

import (
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

func TestEverySettingReachesTheServer(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	c := config.Config{
		Access: "signed-in", Tokens: config.Tokens{Cookie: "session"}, Node: "here", Paths: []string{"/a"}, Origins: []string{"https://a.example"}, Anonymous: true, Compression: true,
		StreamPaths: []string{"/b"}, PollPaths: []string{"/c", "/d"}, SendPaths: []string{""},
		SocketIO: config.SocketIO{Paths: []string{"/e/"}, Namespaces: []string{"f"}}, Recorded: 28,
		PingInterval: 7 * time.Second, Secret: secret, Rules: []config.Rule{{
			Pattern: "a", Allow: config.Allow{Join: "1", Publish: "2", Presence: "3", History: "4"},
			Content: config.Content{MaxBytes: 1, MaxCharacters: 2, MaxTextBytes: 3},
		}},
		Limits: config.Limits{
			MaxMessage: 1, MaxRooms: 2, PublishRate: 3, PublishBurst: 4, JoinRate: 5, JoinBurst: 6, AuthTimeout: 7,
			MaxParts: 8, ByteRate: 9, ByteBurst: 10, PendingBytes: 11, AuthAttempts: 12, Refusals: 13, BlockTime: 14, PublishWait: 27, Connections: 15,
			User: config.UserLimits{Factor: 16, Connections: 17, ConnectRate: 18, ConnectBurst: 19, Shared: true},
			Address: config.AddressLimits{
				Connections: 20, ConnectRate: 21, ConnectBurst: 22, RequestRate: 23, RequestBurst: 24, FailureRate: 25, FailureBurst: 26,
			},
		},
		TrustedProxies: []string{"10.0.0.1"}, ForwardedHeader: "Forwarded",
	}
	want := wireroom.Options{
		Access: "signed-in", Cookie: "session", Node: "here", Paths: []string{"/a"}, Origins: []string{"https://a.example"}, Anonymous: true, Compress: true,
		SSEPaths: []string{"/b"}, PollPaths: []string{"/c", "/d"}, SendPaths: []string{},
		SocketIO: wireroom.SocketIO{Paths: []string{"/e/"}, Namespaces: []string{"f"}, NoRecovery: true}, Recorded: 28,
		PingInterval: 7 * time.Second, Secret: []byte(secret), Logger: logger,
		Rules: []wireroom.Rule{{
			Pattern: "a", NoPresence: true, Allow: wireroom.Allow{Join: "1", Publish: "2", Presence: "3", History: "4"},
			Content: wireroom.Content{MaxBytes: 1, MaxCharacters: 2, MaxTextBytes: 3},
		}},
		Limits: wireroom.Limits{
			MaxMessage: 1, Rooms: 2, PublishRate: 3, PublishBurst: 4, JoinRate: 5, JoinBurst: 6, AuthTimeout: 7,
			MaxParts: 8, ByteRate: 9, ByteBurst: 10, PendingBytes: 11, AuthAttempts: 12, Refusals: 13, BlockTime: 14, PublishWait: 27, Connections: 15,
			User: wireroom.UserLimits{Factor: 16, Connections: 17, ConnectRate: 18, ConnectBurst: 19, Shared: true},
			Address: wireroom.AddressLimits{
				Connections: 20, ConnectRate: 21, ConnectBurst: 22, RequestRate: 23, RequestBurst: 24, FailureRate: 25, FailureBurst: 26,
			},
		},
		TrustedProxies: []string{"10.0.0.1"}, ForwardedHeader: "Forwarded",
	}
	got, err := serverOptions(&c, logger)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the options are %+v, want %+v", got, want)
	}
}

func TestSettingsThatTurnSomethingOff(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	c := config.Config{Limits: config.Limits{MaxRooms: 2, PublishRate: 3}}
	if got, err := serverOptions(&c, logger); err != nil || got.Auth != nil || got.Secret != nil {
		t.Errorf("without a secret the options are %+v, %v", got, err)
	}
	c.NoLimits = true
	got, err := serverOptions(&c, logger)
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range numbers(reflect.ValueOf(got.Limits)) {
		if n != -1 {
			t.Errorf("with no limits %s is %v", name, n)
		}
	}
}

// numbers returns the fields of a struct, and of the structs in it, as numbers by their names.
func numbers(of reflect.Value) map[string]float64 {
	all := make(map[string]float64)
	for i := range of.NumField() {
		name, f := of.Type().Field(i).Name, of.Field(i)
		switch {
		case f.Kind() == reflect.Struct:
			for inner, n := range numbers(f) {
				all[name+"."+inner] = n
			}
		case f.CanInt():
			all[name] = float64(f.Int())
		case f.Kind() == reflect.Bool: // no bound
		default:
			all[name] = f.Float()
		}
	}
	return all
}

func TestTheDefaultsAreThoseOfTheServer(t *testing.T) {
	c := config.Default()
	limits := wireroom.DefaultLimits()
	limits.Connections = 0 // what the system allows
	for _, row := range []struct {
		name      string
		got, want any
	}{
		{"paths", c.Paths, []string{wireroom.DefaultPath}},
		{"socketio.paths", c.SocketIO.Paths, []string{wireroom.DefaultSocketIOPath}},
		{"ping_interval", c.PingInterval, wireroom.DefaultPingInterval},
		{"limits", serverLimits(c.Limits), limits},
		{"rules", config.DefaultRule().History.Messages, wireroom.DefaultRule().History.Messages},
	} {
		if !reflect.DeepEqual(row.got, row.want) {
			t.Errorf("the default of %s is %v, and the server's %v", row.name, row.got, row.want)
		}
	}
}
