package host

// CPU is a reading of the processors over the time since the one before.
type CPU struct {
	Percent float64    `json:"percent"` // busy, of all of them
	Cores   []float64  `json:"cores"`   // busy, in percent, of each
	Load    [3]float64 `json:"load"`    // how many wanted to run, on average of 1, 5 and 15 minutes; zero where the system does not tell
}

// Memory is a reading of the memory, in bytes.
type Memory struct {
	Used      uint64 `json:"used"`
	Total     uint64 `json:"total"`
	SwapUsed  uint64 `json:"swap_used"`
	SwapTotal uint64 `json:"swap_total"`
}

// Network is what went through the network's interfaces since the reading before, in bytes a second.
type Network struct {
	In  float64 `json:"in"`
	Out float64 `json:"out"`
}

// Disk is a reading of a file system, in bytes, and of what was read and written since the one before, on all disks, in
// bytes a second; nil at first, and where the system does not tell.
type Disk struct {
	Used  uint64   `json:"used"`
	Total uint64   `json:"total"`
	Read  *float64 `json:"read,omitempty"`
	Write *float64 `json:"write,omitempty"`
}
