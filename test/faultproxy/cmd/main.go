// Command cmd runs a fault proxy that is driven by JSON lines on its standard input and answers each with one on its
// standard output. It ends with its input.
//
//	go run ./test/faultproxy/cmd -target 127.0.0.1:8080
//	< {"listening":"127.0.0.1:40123"}
//	> {"do":"set","down":{"latency_ms":200,"bandwidth":10000},"up":{"black_hole":true}}
//	< {"ok":true,"open":1,"total":1}
//	> {"do":"set"}
//	> {"do":"reset"}
//	> {"do":"half_close","toward":"client"}
//	> {"do":"target","address":"127.0.0.1:8081"}
//	> {"do":"counts"}
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/wireroom/wireroom/test/faultproxy"
)

func main() {
	var o faultproxy.Options
	flag.StringVar(&o.Target, "target", "", "address of the server")
	flag.StringVar(&o.Listen, "listen", "127.0.0.1:0", "address to listen on")
	flag.Uint64Var(&o.Seed, "seed", 1, "of whatever is random")
	flag.Parse()
	proxy, err := faultproxy.New(o)
	if err == nil {
		err = drive(proxy, os.Stdin, os.Stdout)
		proxy.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// way is a faultproxy.Way as it is written in a command.
type way struct {
	LatencyMS int   `json:"latency_ms"`
	JitterMS  int   `json:"jitter_ms"`
	Bandwidth int   `json:"bandwidth"`
	BlackHole bool  `json:"black_hole"`
	CutAfter  int64 `json:"cut_after"`
	CutSpread int64 `json:"cut_spread"`
}

func (w way) way() faultproxy.Way {
	return faultproxy.Way{
		Latency:   time.Duration(w.LatencyMS) * time.Millisecond,
		Jitter:    time.Duration(w.JitterMS) * time.Millisecond,
		Bandwidth: w.Bandwidth, BlackHole: w.BlackHole, CutAfter: w.CutAfter, CutSpread: w.CutSpread,
	}
}

// command is one line of input.
type command struct {
	Do       string         `json:"do"`
	Up, Down way            // of "set": what is left out has no fault
	Refuse   bool           `json:"refuse"`
	Toward   faultproxy.End `json:"toward"`
	Address  string         `json:"address"`
}

// answer is one line of output, after the first.
type answer struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
	Open  int    `json:"open"`  // connections, now
	Total int    `json:"total"` // connections, ever
}

// drive does what is asked until the input ends.
func drive(proxy *faultproxy.Proxy, in io.Reader, out io.Writer) error {
	encoder := json.NewEncoder(out)
	if err := encoder.Encode(map[string]string{"listening": proxy.Addr()}); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var c command
		err := json.Unmarshal(lines.Bytes(), &c)
		if err == nil {
			err = c.apply(proxy)
		}
		a := answer{OK: err == nil}
		if err != nil {
			a.Error = err.Error()
		}
		a.Open, a.Total = proxy.Counts()
		if err := encoder.Encode(a); err != nil {
			return err
		}
	}
	return lines.Err()
}

// apply does what one line asks for.
func (c *command) apply(proxy *faultproxy.Proxy) error {
	switch {
	case c.Do == "set":
		proxy.Set(faultproxy.Faults{Up: c.Up.way(), Down: c.Down.way(), Refuse: c.Refuse})
	case c.Do == "reset":
		proxy.Reset()
	case c.Do == "half_close" && (c.Toward == faultproxy.Client || c.Toward == faultproxy.Server):
		proxy.HalfClose(c.Toward)
	case c.Do == "half_close":
		return fmt.Errorf("toward is %q, want client or server", c.Toward)
	case c.Do == "target" && c.Address != "":
		proxy.SetTarget(c.Address)
	case c.Do == "counts":
	default:
		return fmt.Errorf("unknown command %q, or something is missing", c.Do)
	}
	return nil
}
