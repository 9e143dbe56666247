// Package client is the Go client of Wireroom.
//
// Dial connects; from then on the client keeps itself connected, rejoins its rooms where it left them, and sends
// again what was not yet acknowledged:
//
//	c, err := client.Dial(ctx, "ws://localhost:8080/ws", client.Options{Name: "Alice"})
//	...
//	defer c.Close()
//	room, err := c.Join(ctx, "general", client.JoinOptions{Last: 20})
//	...
//	_, err = room.Publish(ctx, "hello")
//	...
//	for m, err := range room.Messages(ctx) {
//		var gap *client.GapError
//		switch {
//		case errors.As(err, &gap): // some messages cannot be had any more: reload, then go on
//		case err != nil:
//			return err
//		default:
//			fmt.Println(m.From.User, string(m.Data))
//		}
//	}
//
// # What a room promises
//
// A Room yields every message of the room from the join on, in the room's order, each position once, over any number
// of reconnects; or it yields a Gap that says from where on and why it cannot. Ephemeral messages and presence events
// have no position: what was sent of them while the client was away is not made up for, and a fresh protocol.Presence
// follows where the room was joined with Presence.
//
// # An application that reads slowly
//
// Each room has a queue of its own with room for Options.RoomBuffer events and Options.RoomBufferBytes bytes. A full
// queue never stops the connection from being read, so that replies, pings and the other rooms do not wait for a slow
// reader. The room falls behind instead: what the server sends of it is dropped, and once half of the queue was
// read the client fetches what it dropped from the room's history, page by page, until the room is live again. The
// reader sees nothing of this but the order of the room. Where the history does not reach back that far, the
// reader gets a Gap. A queue passes its bounds only by a page of history, by a Gap, and by a last Kicked.
//
// # What a publish promises
//
// Publish returns when the message is committed, or with the error that settles it. Until then the message
// stands in the outbox, which is bounded; it is sent again, in the order of the calls, after a reconnect and after an
// error that may pass, for Options.RetryFor. Each is numbered, so that the server stores it once however often it was
// sent. An ephemeral message is sent once or not at all.
package client
