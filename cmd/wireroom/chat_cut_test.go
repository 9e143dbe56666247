package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/test/faultproxy"
)

// A chat in a terminal says that its connection is gone, keeps what is typed meanwhile, and has everything when it is back.
func TestAChatSurvivesItsConnection(t *testing.T) {
	_, server := serve(t)
	at, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	network, err := faultproxy.New(faultproxy.Options{Target: at.Host})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(network.Close)
	ben := chatAs(t, server, "general", "Ben")
	at.Host = network.Addr()
	ana := chatAs(t, at.String(), "general", "Ana")
	ben.sees("^- Ana joined$")
	network.Set(faultproxy.Faults{Refuse: true})
	network.Reset()
	ana.sees("^- no connection: .*; what you write waits$")
	ana.types("typed without a connection")
	ben.types("said meanwhile")
	ben.sees("Ben: said meanwhile$")
	network.Set(faultproxy.Faults{})
	ana.sees("^- connected as anon-")
	ben.sees("Ana: typed without a connection$")
	if between := ana.sees("Ana: typed without a connection$"); strings.Count(strings.Join(between, "\n"), "Ben: said meanwhile") != 1 {
		t.Errorf("what was missed is not shown, or more than once: %q", between)
	}
}
