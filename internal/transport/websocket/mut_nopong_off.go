//go:build !mut_nopong

package websocket

const mutNoPong = false
