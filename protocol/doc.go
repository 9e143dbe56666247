// Package protocol is the vocabulary of Wireroom: what travels between a client and the server.
// Every layer, from an engine to the Go client, uses these types; there are no twins of them.
//
// The specification is docs/protocol.md.
package protocol
