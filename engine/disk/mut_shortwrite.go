//go:build mut_shortwrite

package disk

// mutShortWrite is a seeded bug: a full disk is not noticed, neither by its space nor by a write that was cut short. The fault suite must catch it.
const mutShortWrite = true
