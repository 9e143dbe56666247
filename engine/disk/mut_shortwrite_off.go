//go:build !mut_shortwrite

package disk

const mutShortWrite = false
