//go:build mut_cachedhead

package client

// mutCachedHead is a seeded bug: a client that comes back takes the head that it is told for what it has. The fault suite must catch it.
const mutCachedHead = true
