//go:build mut_retrysync

package disk

// mutRetrySync is a seeded bug: a sync that failed is tried again, and what it says then is believed. The fault suite must catch it.
const mutRetrySync = true
