//go:build mut_nodeadline

package redis

// mutNoDeadline is a seeded bug: the server is waited for without end. The fault suite must catch it.
const mutNoDeadline = true
