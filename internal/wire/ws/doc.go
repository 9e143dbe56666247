// Package ws is the WebSocket protocol (RFC 6455) with permessage-deflate (RFC 7692), for both sides, without I/O: it
// turns bytes into messages and messages into bytes. Sockets, goroutines and clocks are the caller's.
//
// A server:
//
//	hand, refusal := ws.Upgrade(request, &ws.DeflatePolicy{}, subprotocol)
//	socket.Write(hand.AppendResponse(nil))
//
//	config := ws.Config{MaxMessage: 64 << 10, Deflate: hand.Deflate != nil} // one for many connections
//	var decoder *ws.Decoder                                                 // one a connection; nil while it is idle
//	n, err := config.Decode(&decoder, received, sink)                       // calls sink.Message and sink.Control
//
//	frame := ws.AppendFrame(nil, ws.Text, payload)                          // or AppendDeflated
//	bye := ws.AppendFrame(nil, ws.Close, ws.AppendClose(nil, err.Code, err.Reason))
//
// A client sends the fields of Request.AddTo, reads the answer with Request.Check, decodes with Config.Client set and
// writes with AppendMasked, or with Deflater.AppendMasked if compression was agreed on.
//
// Limits: Decode allocates by what has arrived, never by what a header announces, and everything it allocates is
// bounded by Config. Compression is without context takeover unless both sides are told otherwise (DeflatePolicy,
// Config.Takeover, Stream), so that a connection needs no window and a frame can be compressed once for many.
package ws
