//go:build !mut_cachedhead

package client

const mutCachedHead = false
