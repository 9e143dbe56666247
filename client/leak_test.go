package client

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain looks for goroutines that were left behind, by any test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
