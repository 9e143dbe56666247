//go:build !mut_noepoch

package hub

const mutNoEpoch = false
