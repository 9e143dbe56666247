// Package docs is the documents that a server serves itself.
package docs

import _ "embed"

//go:embed openapi.yaml
var openapi []byte

// OpenAPI returns the description of the HTTP API, as YAML; it is not to be changed.
func OpenAPI() []byte { return openapi }
