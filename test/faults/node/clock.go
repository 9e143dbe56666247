//go:build !clockjump

package main

import "net/http"

// setClock refuses to move the wall clock: that is for a build with another package time, which the fault suite makes.
func setClock(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "no: built with the clock of the machine", http.StatusNotImplemented)
}
