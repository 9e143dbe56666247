//go:build !mut_closeall

package sweep

const mutCloseAll = false
