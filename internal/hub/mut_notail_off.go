//go:build !mut_notail

package hub

const mutNoTail = false
