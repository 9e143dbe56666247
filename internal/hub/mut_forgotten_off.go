//go:build !mut_forgotten

package hub

const mutForgotten = false
