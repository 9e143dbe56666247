//go:build !mut_nodeadline

package redis

const mutNoDeadline = false
