//go:build !linux

// Command bare needs epoll: it is for Linux.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bare: only on Linux")
	os.Exit(1)
}
