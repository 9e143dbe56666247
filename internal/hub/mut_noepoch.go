//go:build mut_noepoch

package hub

// mutNoEpoch is a seeded bug: a room's epoch and checks do not count, offsets alone do. The fault suite must catch it.
const mutNoEpoch = true
