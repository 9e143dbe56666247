// Package web carries the pages that the server hands to a browser: plain files, embedded as they are, so that whoever
// starts the server needs nothing to build them.
package web

import (
	"embed"
	"io/fs"
)

//go:embed chat
var files embed.FS

// Chat returns the files of the chat page; index.html is the page itself.
func Chat() fs.FS {
	chat, err := fs.Sub(files, "chat")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return chat
}
