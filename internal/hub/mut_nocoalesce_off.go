//go:build !mut_nocoalesce

package hub

const mutNoCoalesce = false
