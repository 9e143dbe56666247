//go:build !linux && !darwin

package doctor

func descriptors() (soft, hard uint64, ok bool) { return 0, 0, false }

func freeBytes(string) (free, size uint64, ok bool) { return 0, 0, false }
