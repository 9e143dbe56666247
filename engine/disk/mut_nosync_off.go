//go:build !mut_nosync

package disk

const mutNoSync = false
