// Package scenarios holds what clients and a server of Wireroom say to each other, written once as data (data/*.json)
// and played over every transport: the same requests have the same effects, whatever carries them. What travels is
// compared with golden/*.txt byte by byte, but for what varies from run to run. docs/conformance.md says more.
//
//	go test ./conformance/scenarios                           all scenarios over all transports
//	go test ./conformance/scenarios -run '/sse/history'       some of them
//	go test ./conformance/scenarios -update                   write the golden files anew
package scenarios
