//go:build mut_nocheck

package hub

// mutNoCheck is a seeded bug: a room's checks do not count, epoch and offsets alone do. The fault suite must catch it.
const mutNoCheck = true
