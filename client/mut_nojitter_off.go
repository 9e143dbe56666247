//go:build !mut_nojitter

package client

const mutNoJitter = false
