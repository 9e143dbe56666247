//go:build !mut_retrysync

package disk

const mutRetrySync = false
