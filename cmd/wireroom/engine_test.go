package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/redistest"
)

// member is a client in a room, on one of the nodes.
type member struct {
	*client.Client
	room       *client.Room
	connection string // its first one
}

// joinNode connects a client to a node and joins a room.
func joinNode(t *testing.T, url, room string) *member {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, url, client.Options{Backoff: client.Backoff{Base: 10 * time.Millisecond, Max: 100 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	r, err := c.Join(ctx, room)
	if err != nil {
		t.Fatal(err)
	}
	return &member{c, r, c.Welcome().Client}
}

// gets wants the numbers from one to another as the next messages, and nothing between them.
func (m *member) gets(t *testing.T, from, to int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for want := from; want <= to; want++ {
		e, err := m.room.Next(ctx)
		if err != nil {
			t.Fatalf("%v, want %d", err, want)
		}
		got, ok := e.(*protocol.Message)
		if !ok || string(got.Data) != fmt.Sprint(want) {
			t.Fatalf("got %T %+v, want %d", e, e, want)
		}
	}
}

// publishes publishes the numbers from one to another.
func (m *member) publishes(t *testing.T, from, to int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var pending []*client.Pending
	for i := from; i <= to; i++ {
		p, err := m.PublishAsync("general", i)
		if err != nil {
			t.Fatal(err)
		}
		pending = append(pending, p)
	}
	for _, p := range pending {
		if _, err := p.Result(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNodesShareARedis(t *testing.T) {
	store := redistest.Start(t, "--requirepass", "hush-hush", "--appendonly", "yes", "--appendfsync", "always")
	store.Password = "hush-hush"
	file := filepath.Join(t.TempDir(), "password")
	writeFile(t, file, store.Password+"\n")
	one, first := serve(t, "--engine", store.URL(), "--redis-password-file", file)
	two, second := serve(t, "--engine", strings.Replace(store.URL(), "://", "://:"+store.Password+"@", 1))
	alice, bob := joinNode(t, first, "general"), joinNode(t, second, "general")

	alice.publishes(t, 1, 10)
	bob.publishes(t, 11, 20)
	alice.gets(t, 1, 20)
	bob.gets(t, 1, 20)

	// What is lost on its way to a node that has lost its feed is fetched.
	for i := 21; i <= 60; i++ {
		if i%10 == 0 {
			store.Must("CLIENT", "KILL", "TYPE", "pubsub")
		}
		alice.publishes(t, i, i)
	}
	alice.gets(t, 21, 60)
	bob.gets(t, 21, 60)

	// Clients keep their connections while the server is away, and their publishes are stored when it is back.
	store.Kill()
	later := make(chan error, 1)
	go func() {
		_, err := bob.Publish(t.Context(), "general", 61)
		later <- err
	}()
	two.says("the feed of a server broke")
	store.Restart()
	if err := <-later; err != nil {
		t.Fatal(err)
	}
	alice.publishes(t, 62, 62)
	alice.gets(t, 61, 62)
	bob.gets(t, 61, 62)
	for _, m := range []*member{alice, bob} {
		if m.Welcome().Client != m.connection {
			t.Errorf("a client lost its connection: %+v", m.Status())
		}
	}
	for _, p := range []*process{one, two} {
		p.signal(syscall.SIGTERM)
		if status := p.status(); status != exitDone {
			t.Errorf("ended with %d: %s", status, p.errors)
		}
		said := p.errors.String()
		for line := range p.lines {
			said += line + "\n"
		}
		if strings.Contains(said, store.Password) {
			t.Errorf("the password is shown:\n%s", said)
		}
	}
}

// A server may be reached over TLS, and have rooms in another database, under another prefix.
func TestAnEngineBehindTLS(t *testing.T) {
	store := redistest.Start(t)
	host, _, _ := net.SplitHostPort(store.Address)
	free, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	certificate, key := filepath.Join(t.TempDir(), "redis.pem"), filepath.Join(t.TempDir(), "redis.key")
	writeCertificate(t, certificate, key, net.ParseIP(host))
	store.Must("CONFIG", "SET", "tls-auth-clients", "no", "tls-cert-file", certificate, "tls-key-file", key,
		"tls-ca-cert-file", certificate, "tls-port", port)
	url := "rediss://" + address + "/3"
	if got := run(t, "serve", "--listen", "127.0.0.1:0", "--engine", url); got.status != exitUnreachable || !strings.Contains(got.err, "certificate") {
		t.Errorf("nobody vouches for the server, and %+v", got)
	}
	arguments := []string{"--engine", url, "--redis-authorities", certificate, "--redis-prefix", "chat:"}
	_, first := serve(t, arguments...)
	_, second := serve(t, arguments...)
	alice, bob := joinNode(t, first, "general"), joinNode(t, second, "general")
	alice.publishes(t, 1, 3)
	bob.gets(t, 1, 3)
	if keys := store.Must("INFO", "keyspace"); !strings.Contains(keys, "db3:") || strings.Contains(keys, "db0:") {
		t.Errorf("the server keeps %q", keys)
	}
	if channels := store.Must("PUBSUB", "CHANNELS"); !strings.Contains(channels, "chat:{general}") || strings.Contains(channels, "wireroom:") {
		t.Errorf("the channels are %q", channels)
	}
}

// A user of one node is the same one on another, though no secret is configured.
func TestAnonymousUsersReturnOnAnyNode(t *testing.T) {
	store := redistest.Start(t)
	_, first := serve(t, "--engine", store.URL())
	_, second := serve(t, "--engine", store.URL())
	alice := joinNode(t, first, "general")
	again, err := client.Dial(t.Context(), second, client.Options{Token: alice.Token()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	if got, want := again.Welcome().User, alice.Welcome().User; got != want {
		t.Errorf("on the other node the user is %s, want %s", got, want)
	}
}

func TestEnginesThatCannotBeUsedStopTheStart(t *testing.T) {
	store := redistest.Start(t, "--requirepass", "hush-hush")
	file := filepath.Join(t.TempDir(), "password")
	writeFile(t, file, "tell-tale")
	for name, row := range map[string]struct {
		arguments []string
		status    int
		says      string
	}{
		"nobody listens": {[]string{"--engine", "redis://:tell-tale@127.0.0.1:1"}, exitUnreachable, "redis://:(hidden)@127.0.0.1:1"},
		"wrong password": {[]string{"--engine", store.URL(), "--redis-password-file", file}, exitUnreachable, "WRONGPASS"},
		"no password":    {[]string{"--engine", store.URL()}, exitUnreachable, "NOAUTH"},
		"no TLS there":   {[]string{"--engine", strings.Replace(store.URL(), "redis", "rediss", 1)}, exitUnreachable, "engine unavailable"},
		"no such engine": {[]string{"--engine", "kafka://:tell-tale@host"}, exitConfig, "redis://HOST:6379"},
		"no URL":         {[]string{"--engine", "redis://:tell-tale@@@host:port"}, exitConfig, "no URL"},
		"no database":    {[]string{"--engine", "redis://:tell-tale@host/general"}, exitConfig, "is no database"},
		"two of them":    {[]string{"--engine", "redis://:tell-tale@host", "--data", t.TempDir()}, exitConfig, "not by both"},
		"two passwords":  {[]string{"--engine", "redis://:tell-tale@host", "--redis-password-file", file}, exitConfig, "another one"},
	} {
		t.Run(name, func(t *testing.T) {
			got := run(t, append([]string{"serve", "--listen", "127.0.0.1:0"}, row.arguments...)...)
			if got.status != row.status || !strings.Contains(got.err, row.says) {
				t.Errorf("%+v, want status %d and %q", got, row.status, row.says)
			}
			if strings.Contains(got.err+got.out, "tell-tale") || strings.Contains(got.err+got.out, "hush-hush") {
				t.Errorf("the password is shown: %+v", got)
			}
		})
	}
}

func TestPasswordOfAnEngineIsNotShown(t *testing.T) {
	got := run(t, "config", "show", "--engine", "redis://user:tell-tale@host:6379/1?addr=other:6379&master_set=main")
	if got.status != exitDone || !strings.Contains(got.out, "redis://user:(hidden)@host:6379/1?addr=other:6379&master_set=main") {
		t.Errorf("%+v", got)
	}
	got = finish(t, command(t, []string{"WIREROOM_REDIS_PASSWORD=tell-tale", "WIREROOM_ENGINE=redis://host"}, "config", "show"))
	if got.status != exitDone || strings.Contains(got.out, "tell-tale") || !strings.Contains(got.out, "redis://host") {
		t.Errorf("%+v", got)
	}
}
