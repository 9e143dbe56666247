//go:build !mut_nochecksum

package disk

const mutNoChecksum = false
