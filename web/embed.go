// Package web carries the pages that the server hands to a browser: plain files, embedded as they are, so that whoever
// starts the server needs nothing to build them.
package web

import "embed"

//go:embed admin chat dashboard demo parts
var files embed.FS

// Page is a page, with its files in a folder of that name.
type Page string

// The pages. All of them use the files of the folder parts.
const (
	Chat      Page = "chat"
	Dashboard Page = "dashboard"
	Admin     Page = "admin" // for the listener of administrators
	// Transports shows one room over each transport.
	Transports Page = "demo/transports"
	parts      Page = "parts"
)

// Path returns where the page is: "/" for the chat, "/" and its name for any other. Its files are under its name.
func (p Page) Path() string {
	if p == Chat {
		return "/"
	}
	return "/" + string(p)
}
