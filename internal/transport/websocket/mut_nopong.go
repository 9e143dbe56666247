//go:build mut_nopong

package websocket

// mutNoPong is a seeded bug: a pong is not missed. The fault suite must catch it.
const mutNoPong = true
