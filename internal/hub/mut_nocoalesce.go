//go:build mut_nocoalesce

package hub

// mutNoCoalesce is a seeded bug: those who come back together read the log each. The fault suite must catch it.
const mutNoCoalesce = true
