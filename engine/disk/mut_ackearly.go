//go:build mut_ackearly

package disk

// mutAckEarly is a seeded bug: publishes are acknowledged before they are written. The fault suite must catch it.
const mutAckEarly = true
