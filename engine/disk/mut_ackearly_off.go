//go:build !mut_ackearly

package disk

const mutAckEarly = false
