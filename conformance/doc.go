// Package conformance holds the tests of the WebSocket protocol over real sockets: the situations that the Autobahn
// test suite examines, category by category, derived anew from RFC 6455 and RFC 7692. They run against the program in
// conformance/echo, or with -url against any server that echoes:
//
//	go test ./conformance                             the everyday run; with -race a sample of the cases that send much
//	go test ./conformance -full                       with as many messages as the suite sends, a matter of minutes
//	go test ./conformance -v -run 'WebSocket/6.22'    a subcategory
//	go test ./conformance -url ws://127.0.0.1:9001/   against a server that runs already
//
// A case ends as OK; as non-strict, where the server does what RFC 6455 allows but not what it recommends; as
// informational, where any behaviour is right; as unimplemented, where the server declines an extension; or it fails,
// and the test with it. The frames that are sent and read here are made by the suite's own simple code, not by the
// package that the server uses.
package conformance
