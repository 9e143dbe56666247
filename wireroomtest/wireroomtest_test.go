package wireroomtest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/wireroomtest"
)

func TestClientsChatInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := wireroomtest.Start(t, wireroom.Options{})
		alice := server.Dial(t, client.Options{Name: "Alice"})
		bob := server.Dial(t, client.Options{Name: "Bob"})
		room, err := bob.Join(t.Context(), "lobby", client.JoinOptions{})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		time.Sleep(time.Hour) // heartbeats and all
		if _, err := alice.Publish(t.Context(), "lobby", "hello"); err != nil {
			t.Fatal(err)
		}
		for m, err := range room.Messages(t.Context()) {
			if err != nil || string(m.Data) != `"hello"` || m.From.Name != "Alice" {
				t.Fatalf("received %+v, %v", m, err)
			}
			break
		}
		if took := time.Since(began); took < time.Hour || took > time.Hour+time.Second {
			t.Fatalf("took %v", took)
		}
	})
}
