//go:build mut_nojitter

package client

// mutNoJitter is a seeded bug: clients that were cut off together come back together. The fault suite must catch it.
const mutNoJitter = true
