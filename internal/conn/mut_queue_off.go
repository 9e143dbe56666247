//go:build !mut_queue

package conn

const mutQueue = false
