//go:build !mut_keyscope

package session

const mutKeyScope = false
