//go:build mut_nochecksum

package disk

// mutNoChecksum is a seeded bug: files are believed: neither records nor logs are checked. The fault suite must catch it.
const mutNoChecksum = true
