//go:build !mut_inbound

package session

const mutInbound = false
