//go:build mut_queue

package conn

// mutQueue is a seeded bug: what a full socket does not take is kept, however much it is. The fault suite must catch it.
const mutQueue = true
