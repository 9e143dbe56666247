// Package wireroom is a real-time server to embed: rooms with ordered delivery, history, presence, private messages
// and recovery after any disconnect, over WebSocket.
//
//	server, err := wireroom.New(ctx, wireroom.Options{})
//	http.Handle("/ws", server)
//
// The zero Options work: messages are kept in memory, anybody may join and publish, and every limit has a safe
// default. A client needs nothing but the browser's WebSocket; docs/protocol.md says what travels. Package client is
// the client for Go programs, package wireroomtest helps to test programs that embed a server.
//
// One publish, end to end: the event loop of internal/conn reads bytes, internal/transport/websocket makes a request
// of them, internal/session checks what its client may do, internal/hub hands the message to the engine, the engine
// gives it a position, stores it and feeds it back to the hub of every node that has members in the room, and the
// hub writes it to each of them.
package wireroom
