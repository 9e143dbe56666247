//go:build !mut_nodup

package disk

const mutNoDup = false
