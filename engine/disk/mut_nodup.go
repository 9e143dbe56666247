//go:build mut_nodup

package disk

// mutNoDup is a seeded bug: what was stored before is not recognised. The fault suite must catch it.
const mutNoDup = true
