//go:build mut_closeall

package sweep

// mutCloseAll is a seeded bug: a drain asks everybody back at once. The fault suite must catch it.
const mutCloseAll = true
