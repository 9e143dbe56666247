// Package eio is the Engine.IO protocol, version 4, and the Socket.IO protocol, version 5, as a server speaks them,
// without I/O: it turns text into packets and packets into text. Sockets, goroutines and clocks are the caller's.
//
// Engine.IO (https://github.com/socketio/engine.io-protocol) moves packets: over WebSocket each is a frame, over HTTP
// long-polling several make a payload. Socket.IO (https://github.com/socketio/socket.io-protocol) puts packets of its
// own into those of the type Message; they are called parcels here, to tell the two apart.
//
//	packet, err := eio.ParsePacket(frame)                  // one frame of text
//	for payload := eio.NewPayload(body); payload.Next(&packet); {} // or several in a body; then payload.Err
//
//	var decoder eio.Decoder                                // one a connection; it holds what waits for attachments
//	ready, err := decoder.Text(&limits, packet.Data, &parcel)
//
// Limits: everything is bounded by what has arrived, never by what a parcel announces, and by Limits. Texts are checked
// once, while they are read; what an application sent in them is handed on byte for byte.
package eio
