//go:build mut_notail

package hub

// mutNoTail is a seeded bug: heads of quiet rooms are not compared. The fault suite must catch it.
const mutNoTail = true
