package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/client"
)

func Example() {
	ctx := context.Background()
	server, err := wireroom.New(ctx, wireroom.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	web := httptest.NewServer(server)
	defer web.Close()

	c, err := client.Dial(ctx, web.URL, client.Options{Name: "Alice"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	room, err := c.Join(ctx, "general", client.JoinOptions{Last: 20})
	if err != nil {
		log.Fatal(err)
	}
	for _, text := range []string{"hello", "is anyone here?", "bye"} {
		if _, err := room.Publish(ctx, text); err != nil {
			log.Fatal(err)
		}
	}
	for m, err := range room.Messages(ctx) {
		var gap *client.GapError
		switch {
		case errors.As(err, &gap):
			fmt.Println("(something was missed)")
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Println(m.From.Name, string(m.Data))
		}
		if m != nil && string(m.Data) == `"bye"` {
			break
		}
	}
	// Output:
	// Alice "hello"
	// Alice "is anyone here?"
	// Alice "bye"
}
