//go:build mut_nosync

package disk

// mutNoSync is a seeded bug: batches are written and not synced. The fault suite must catch it.
const mutNoSync = true
