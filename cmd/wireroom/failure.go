package main

// The exit statuses. They are a promise to scripts: the package's comment and `wireroom --help` list them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitConfig      = 3
	exitUnreachable = 4
	exitRefused     = 5
)

// failure is why a command failed.
type failure struct {
	status int
	err    error  // what was tried, and why it failed
	advice string // what to do; empty if nobody knows
}

// Error returns what was tried and why it failed.
func (f *failure) Error() string { return f.err.Error() }

// Unwrap returns the error.
func (f *failure) Unwrap() error { return f.err }
