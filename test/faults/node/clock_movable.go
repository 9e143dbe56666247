//go:build clockjump

package main

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// setClock moves the wall clock, and answers with what it shows then, in Unix seconds.
func setClock(w http.ResponseWriter, q *http.Request) {
	ahead, err := strconv.ParseInt(q.FormValue("ahead"), 10, 64)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	time.Jump(ahead)
	_, _ = fmt.Fprintln(w, time.Now().Unix())
}
