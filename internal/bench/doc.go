// Package bench puts load on a server and measures what becomes of it: `wireroom bench`.
//
// A test is described by Options, run by Run, and ends as a Report. Its connections are shared out to workers
// (worker.go), each of which is one event loop over internal/conn, in this process or one of its own (process.go).
// A worker's clients (client.go) speak a dialect (speak.go): the native words, raw echo, or Server-Sent Events. What
// they do beyond being delivered to is a scenario (scenario.go), driven by one goroutine a worker (pacer.go).
//
// How a figure comes about:
//
//   - Latency is from the moment at which a publication was due, not from when this program got around to sending it,
//     so that a server that stalls cannot slow down its own measurement (coordinated omission). With a window instead of
//     a rate there is no such moment; then it is from sending, and the report says so.
//   - Deliveries are counted against what had to come: for each stay of a client in a room, the messages that the room
//     got meanwhile. A message counts once; a second copy is a duplicate, one out of order is reordered, and one that
//     never came is missing. So a share never exceeds 100 %.
//   - CPU and memory of the server are those of its process, from /proc.
package bench
