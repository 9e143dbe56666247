//go:build mut_forgotten

package hub

// mutForgotten is a seeded bug: a room that is closed stays subscribed. The fault suite must catch it.
const mutForgotten = true
