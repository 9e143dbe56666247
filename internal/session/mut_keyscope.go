//go:build mut_keyscope

package session

// mutKeyScope is a seeded bug: a key holds for one connection of its user. The fault suite must catch it.
const mutKeyScope = true
