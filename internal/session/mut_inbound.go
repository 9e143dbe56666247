//go:build mut_inbound

package session

// mutInbound is a seeded bug: publishes are let in however long they wait, and read however many are under way. The fault suite must catch it.
const mutInbound = true
