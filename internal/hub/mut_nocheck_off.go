//go:build !mut_nocheck

package hub

const mutNoCheck = false
