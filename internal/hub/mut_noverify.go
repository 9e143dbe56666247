//go:build mut_noverify

package hub

// mutNoVerify is a seeded bug: heads are not compared when the feed was interrupted. The fault suite must catch it.
const mutNoVerify = true
