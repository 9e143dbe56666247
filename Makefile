# Each of these sets up what it needs, on a fresh Debian with Go as on any other machine:
#
#   make run     start a server on http://127.0.0.1:8080   (ARGS="--listen :9000" for its flags)
#   make test    everything that CI runs
#   make test-long   the long forms of tests that are short every day
#   make conformance-long   all cases of the WebSocket suite, and the scenarios against the program itself
#   make lint    what a reader would find, found by a program
#   make bench   measure beside the least a server can do, and beside others   (ONLY=rooms REPEAT=5 SECONDS=10)
#   make bench-growth    measure how the cost grows, and draw it               (the same)
#   make bench-compare   micro-benchmarks, compared with the last commit       (PACKAGES=./protocol BENCH=Parse COUNT=10)
#   make bench-recorder  measure what it costs to know why a message was not delivered   (REPEAT=9 SECONDS_EACH=3)
#   make bench-redis     how much of what its script can do the engine on Redis lets through   (SECONDS=6)
#   make bench-socketio  measure what a delivery costs to a client of Socket.IO, beside a native one   (REPEAT=5)
#   make screenshots     every page in every state, to be looked at, in .cache/screenshots   (ONLY=admin)
#   make scale   many nodes over one Redis: what a connection and a delivery cost   (CONNECTIONS=200000 NODES=3 RATE=200)
#   make fuzz    look for input that breaks a parser; what it finds becomes a seed   (FUZZTIME=10m FUZZ=Frame)
#   make faults    break a server on purpose, a minute each; faults-long: at full length; mutants: seeded bugs must be caught (PART=2/4)
#   make fmt     format the source

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test test-long conformance-long lint fuzz bench bench-growth bench-compare bench-tools bench-recorder bench-redis bench-socketio screenshots scale fmt faults faults-long mutants

ARGS ?=
PACKAGES ?= ./protocol ./internal/wire/ws ./internal/conn ./internal/transport/websocket ./internal/session ./internal/hub ./engine/memory
BENCH ?= .
ONLY ?=
REPEAT ?= 3
SECONDS ?= 6
COUNT ?= 6
FUZZTIME ?= 1m
FUZZ ?= .
PART ?= 1/1

tool := go tool -modfile=tools/go.mod
# Folders with tests in JavaScript: `npm test` builds what is to be built, checks and runs them.
pages := $(patsubst %/package.json,%,$(wildcard test/browser/package.json clients/typescript/package.json))
# Folders whose npm modules the Go tests need.
outside := test/outside
binary := $(CURDIR)/.cache/wireroom
measured = -only '$(ONLY)' -repeat $(REPEAT) -seconds $(SECONDS)
say = @printf '\n== %s\n'

help:
	@sed -n 's/^#   //p' Makefile

run:
	@go run ./cmd/wireroom serve $(ARGS)

test:
	$(say) 'what the tests need'
	@test/setup/need.sh gcc node npm chromium openssl python-websockets python-socketio redis-server
	@test/setup/modules.sh $(outside) $(pages)
	@go mod download
	$(say) 'go vet'
	@go vet ./...
	$(say) 'the architecture: imports, sizes, state'
	@go test -count=1 ./internal/archtest
	$(say) 'go test -race'
	@go test -race -timeout 20m ./...
	$(say) 'the cases of WebSocket of which the race detector gets a sample'
	@go test -run 'TestWebSocket(OverTLS)?$$' ./conformance
	@go build -o $(binary) ./cmd/wireroom
	@for folder in $(pages); do \
		printf '\n== npm test in %s\n' "$$folder"; \
		WIREROOM_BIN=$(binary) npm test --prefix "$$folder" --silent; \
	done
	$(say) 'all tests passed'

test-long:
	@WIREROOM_LONG=1 go test -count=1 -timeout 30m ./engine/disk
	@go build -o $(binary) ./cmd/wireroom
	@test/setup/modules.sh test/browser
	@cd test/browser && CUTS=1000 WIREROOM_BIN=$(binary) node --test transports.test.mjs

conformance-long:
	@go build -o $(binary) ./cmd/wireroom
	@go test -count=1 -timeout 30m -v -run 'TestWebSocket' ./conformance -full | grep -v '^ *--- PASS\|^=== '
	@go test -count=1 ./conformance/scenarios -program $(binary)
	@test/setup/modules.sh clients/typescript
	@cd clients/typescript && npm run build --silent && WIREROOM_BIN=$(binary) npx vitest run --project e2e test/e2e/scenarios.test.ts

lint:
	$(say) 'golangci-lint'
	@$(tool) golangci-lint run ./...
	$(say) 'the portable parts build elsewhere'
	@export CGO_ENABLED=0; for GOOS in darwin windows; do \
		export GOOS; go vet $$(go list ./... | grep -v /test/faults); \
	done # the faults are for Linux alone
	$(say) 'modules'
	@go mod verify
	@go mod tidy -diff
	$(say) 'nothing found'

bench: bench-tools
	@.cache/bars -what bars $(measured)

bench-growth: bench-tools
	@.cache/bars -what growth $(measured)

bench-tools:
	@test/setup/need.sh node npm
	@test/setup/modules.sh bench/peers
	@mkdir -p .cache
	@go build -o .cache/ ./cmd/wireroom ./bench/bare ./bench/echo ./bench/embed ./bench/bars

bench-recorder:
	@bench/recorder.sh

bench-redis:
	@bench/redis.sh $(SECONDS)

bench-socketio:
	@go test -run '^$$' -bench FanOut -benchtime 500x -count $(REPEAT) .

screenshots:
	@test/setup/need.sh node npm chromium
	@test/setup/modules.sh test/browser
	@go build -o $(binary) ./cmd/wireroom
	@cd test/browser && WIREROOM_BIN=$(binary) node shots.mjs

scale:
	@bench/scale.sh

# The last commit is measured in a copy of its own, in turns with what is here, so that both have the same machine.
bench-compare:
	@bench/compare.sh '$(BENCH)' $(COUNT) $(PACKAGES)

fuzz:
	@test/fuzz/run.sh $(FUZZTIME) '$(FUZZ)'

fmt:
	@git ls-files --cached --others --exclude-standard -- '*.go' ':!*/testdata/*' | xargs $(tool) gofumpt -w

faults:
	$(say) 'faults, the short forms'
	@test/setup/need.sh ip redis-server nginx
	@go run ./test/faults run

faults-long:
	$(say) 'faults, the long forms: hours'
	@test/setup/need.sh ip redis-server nginx
	@go run ./test/faults run -long -record test/results/faults.json
	@go run ./test/faults figures

mutants:
	$(say) 'bugs that the faults must catch'
	@test/setup/need.sh ip redis-server nginx
	@go run ./test/faults mutants -control -part $(PART) -record test/results/mutants.json -record-runs test/results/faults.json
	@go run ./test/faults figures
