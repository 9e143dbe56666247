package archtest_test

import "github.com/wireroom/wireroom/internal/archtest"

// layers says which package may import which, from the top to the bottom: a package imports packages below it, never
// one above. What is public may stand in a program of somebody else's, so it and what it is made of bring in nothing
// but golang.org/x and klauspost/compress; what needs more says so.
func layers() []archtest.Layer {
	library := []string{"golang.org/x", "github.com/klauspost/compress"}
	return []archtest.Layer{
		// Programs.
		{
			Packages: []string{"cmd/wireroom"},
			Imports: []string{
				"cmd/wireroom/internal/...", ".", "client", "web", "auth", "protocol", "engine/...", "internal/metrics", "internal/webhook",
				"internal/bench",
			},
			Outside: []string{"github.com/alecthomas/kong", "github.com/prometheus/client_golang", "golang.org/x"},
		},
		{
			Packages: []string{"cmd/wireroom/internal/config"},
			Imports:  []string{"engine", "auth", "internal/api", "internal/gate", "internal/rule", "internal/webhook", "cmd/wireroom/internal/schema"},
			Outside:  []string{"github.com/alecthomas/kong", "go.yaml.in/yaml/v3"},
		},
		{
			Packages: []string{"cmd/wireroom/internal/chat"},
			Imports:  []string{"client", "protocol"},
			Outside:  []string{"golang.org/x"},
		},
		{Packages: []string{"cmd/wireroom/internal/host"}, Outside: []string{"github.com/shirou/gopsutil/v4"}},
		{Packages: []string{"cmd/wireroom/internal/doctor"}, Imports: []string{"cmd/wireroom/internal/config"}, Outside: []string{"golang.org/x"}},
		{
			Packages: []string{"cmd/wireroom/internal/tracing"}, Imports: []string{"protocol"},
			Outside: []string{"go.opentelemetry.io/otel", "go.opentelemetry.io/otel/sdk", "go.opentelemetry.io/otel/trace"},
		},
		{Packages: []string{"cmd/wireroom/internal/exporter"}, Imports: []string{"internal/metrics"}, Outside: []string{"github.com/prometheus/client_golang"}},
		{Packages: []string{"cmd/wireroom/internal/certificate"}, Outside: []string{"golang.org/x"}},
		{
			Packages: []string{"cmd/wireroom/internal/schema"},
			Imports:  []string{"protocol"},
			Outside:  []string{"github.com/santhosh-tekuri/jsonschema/v6", "golang.org/x"},
		},
		{
			Packages: []string{"conformance/scenarios/..."},
			Imports:  []string{".", "auth", "engine", "protocol", "conformance/scenarios/stage"},
			Outside:  []string{"github.com/golang-jwt/jwt/v5"},
		},
		{Packages: []string{"conformance/..."}, Imports: []string{".", "protocol", "internal/wire/...", "internal/conn"}, Outside: library},
		{Packages: []string{"examples/..."}, Imports: []string{".", "auth", "client", "engine/...", "protocol", "wireroomtest"}},
		{Packages: []string{"bench/..."}, Imports: []string{".", "client", "engine/...", "protocol", "internal/..."}, Outside: library},

		// The tests of a whole node under faults; the proxy stands alone, for every suite.
		{
			Packages: []string{"test/faults/..."},
			Imports:  []string{".", "auth", "client", "protocol", "engine/...", "test/faultproxy", "test/redistest", "test/faults/internal/...", "conformance/hostile"},
			Outside:  []string{"github.com/cockroachdb/pebble/v2"},
		},
		{Packages: []string{"test/faultproxy/cmd"}, Imports: []string{"test/faultproxy"}},
		{Packages: []string{"test/faultproxy"}},
		{Packages: []string{"test/redistest"}},

		// The server to embed: wiring of all that is below.
		{Packages: []string{"wireroomtest"}, Imports: []string{".", "client", "protocol"}},
		{
			Packages: []string{"."},
			Imports: []string{
				"internal/transport/...", "internal/dialect/...", "internal/gate", "internal/session", "internal/hub", "internal/rule",
				"internal/conn", "internal/limit", "internal/metrics", "internal/api", "internal/recorder", "internal/wire/ws", "engine",
				"engine/memory", "auth", "protocol",
			},
			Outside: library,
		},

		// The layers of a node.
		{
			Packages: []string{"internal/api"},
			Imports: []string{
				"internal/transport/stateless", "internal/gate", "internal/recorder", "internal/session", "internal/hub", "internal/rule",
				"internal/metrics", "internal/secret", "engine", "protocol", "docs",
			},
			Outside: library,
		},
		{Packages: []string{"docs"}},
		{Packages: []string{"internal/recorder"}, Imports: []string{"internal/session", "internal/hub", "protocol"}, Outside: library},
		{
			Packages: []string{"internal/admin"},
			Imports:  []string{"internal/session", "internal/hub", "internal/limit", "internal/metrics", "engine", "auth", "protocol"},
			Outside:  library,
		},
		{Packages: []string{"internal/webhook"}, Imports: []string{"internal/metrics", "internal/secret", "protocol"}, Outside: library},
		// What is spoken over a transport that carries messages and knows no sessions stands above it.
		{
			Packages: []string{"internal/dialect/..."},
			Imports: []string{
				"internal/transport/engineio", "internal/transport/stateless", "internal/gate", "internal/session", "internal/hub",
				"internal/conn", "internal/wire/eio", "auth", "protocol",
			},
			Outside: library,
		},
		{
			Packages: []string{"internal/transport/sweep"},
			Imports:  []string{"protocol"},
			Outside:  library,
		},
		{
			Packages: []string{"internal/transport/stateless"},
			Imports:  []string{"internal/gate", "protocol"},
			Outside:  library,
		},
		{
			Packages: []string{"internal/transport/..."},
			Imports: []string{
				"internal/transport/sweep", "internal/transport/stateless", "internal/gate", "internal/session", "internal/hub",
				"internal/conn", "internal/wire/...", "internal/limit", "internal/metrics", "internal/secret", "auth", "protocol",
			},
			Outside: library,
		},
		{
			Packages: []string{"internal/gate"},
			Imports:  []string{"internal/session", "internal/limit", "internal/metrics", "internal/secret", "auth", "protocol"},
			Outside:  library,
		},
		{
			Packages: []string{"internal/session"},
			Imports:  []string{"internal/hub", "internal/rule", "internal/conn", "internal/limit", "internal/metrics", "engine", "auth", "protocol"},
			Outside:  library,
		},
		{
			Packages: []string{"internal/hub"},
			Imports:  []string{"internal/rule", "internal/conn", "internal/metrics", "engine", "protocol"},
			Outside:  library,
		},
		{Packages: []string{"internal/rule"}, Imports: []string{"engine", "auth", "protocol"}, Outside: library},

		// Engines know what an engine is, and no more.
		{Packages: []string{"engine"}, Imports: []string{"protocol"}},
		{Packages: []string{"engine/enginetest"}, Imports: []string{"engine", "protocol"}, Outside: []string{"pgregory.net/rapid"}},
		{Packages: []string{"engine/memory"}, Imports: []string{"engine", "protocol"}, Outside: library},
		{Packages: []string{"engine/disk"}, Imports: []string{"engine", "protocol"}, Outside: []string{"github.com/cockroachdb/pebble/v2"}},
		{Packages: []string{"engine/redis"}, Imports: []string{"engine", "protocol"}, Outside: []string{"github.com/redis/rueidis"}},
		{Packages: []string{"engine/nats"}, Imports: []string{"engine", "protocol"}, Outside: []string{"github.com/nats-io/nats.go"}},

		// Whoever speaks to a server.
		{
			Packages: []string{"internal/bench"},
			Imports:  []string{"internal/bench/chart", "internal/conn", "internal/wire/..."},
			Outside:  []string{"github.com/HdrHistogram/hdrhistogram-go", "golang.org/x"},
		},
		{Packages: []string{"internal/bench/chart"}},
		{Packages: []string{"client"}, Imports: []string{"protocol", "internal/wire/ws"}, Outside: library},

		// Below everything: they know nothing of rooms on a node, nor of each other.
		{Packages: []string{"auth"}, Outside: []string{"github.com/golang-jwt/jwt/v5", "golang.org/x"}},
		{Packages: []string{"protocol", "internal/conn", "internal/limit", "internal/metrics", "internal/secret", "internal/wire/..."}, Outside: library},
		{Packages: []string{"web"}},
		{Packages: []string{"internal/archtest"}},
	}
}
