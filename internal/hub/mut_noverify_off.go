//go:build !mut_noverify

package hub

const mutNoVerify = false
