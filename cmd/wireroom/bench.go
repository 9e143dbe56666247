package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/wireroom/wireroom/internal/bench"
)

// benchCommand is `wireroom bench`.
type benchCommand struct {
	Scenario  string        `arg:"" optional:"" default:"fan-out" enum:"idle,fan-out,rooms,echo,chat,storm,churn,slow" help:"What the clients do: idle, fan-out (one room), rooms (of 10), echo (each waits for its own answer), chat (join, talk, leave), storm (all are cut at once), churn (clients come and go), slow (some readers stop for a while)."`
	Server    []string      `env:"WIREROOM_SERVER" placeholder:"URL" help:"Server to measure: ws://127.0.0.1:8080/ws, or http://127.0.0.1:8080/sse for --speak sse, ws://127.0.0.1:8080/socket.io/ for --speak socketio. Several are used in turn."`
	Speak     string        `default:"native" enum:"native,echo,sse,socketio" help:"What the clients speak: native, echo (a WebSocket server that sends everything back), sse, socketio."`
	TokenFile string        `placeholder:"FILE" help:"File with the token of all clients; the environment variable WIREROOM_TOKEN can hold the token itself."`
	Insecure  bool          `help:"Take any certificate."`
	PIDs      []int         `name:"pid" placeholder:"PID" help:"Process of the server, on this machine: its CPU and memory are measured. With several servers, that of each."`
	Processes int           `placeholder:"N" help:"Processes that the connections are shared out to. Left out, as many as the limit on descriptors asks for."`
	Source    []netip.Addr  `placeholder:"ADDRESS" help:"Local addresses to connect from: one has about 28,000 ports. To a loopback address, each process takes one of its own on Linux, 127.0.0.2 and on."`
	Out       benchOutput   `embed:""`
	Load      benchLoad     `embed:""`
	Times     benchDuration `embed:""`
}

// benchLoad is how much there is of everything.
type benchLoad struct {
	Connections int           `short:"n" default:"1000" help:"Clients, with a connection each."`
	Rooms       int           `placeholder:"N" help:"Rooms that the clients are spread over. Left out, the scenario's."`
	Size        int           `default:"128" help:"Bytes of a message's data."`
	Rate        float64       `placeholder:"N" xor:"load" help:"Publications a second, all together. Latency is then measured from when each was due."`
	Window      int           `placeholder:"N" xor:"load" help:"Publications outstanding, all together (echo: of each client); as fast as they come. Latency is then measured from sending."`
	Publishers  int           `placeholder:"N" help:"Members of each room that publish, in turn. Left out, all."`
	Replies     bool          `help:"Ask for the reply to each publish, and time it."`
	Presence    bool          `help:"Join with presence."`
	Compress    bool          `help:"Ask for compression (permessage-deflate); the server must offer it."`
	Stalled     float64       `placeholder:"SHARE" help:"Share of the readers that stop, for slow. Left out, 0.1."`
	Stay        time.Duration `placeholder:"DURATION" help:"How long clients stay, for chat and churn. Left out, 10s."`
	Prefix      string        `placeholder:"NAME" help:"What the names of rooms begin with. Left out, something new."`
}

// benchDuration is how long everything takes.
type benchDuration struct {
	Ramp     float64       `placeholder:"N" help:"Connections a second that are made. Left out, as fast as they come."`
	Warmup   time.Duration `default:"2s" help:"How long to publish before it is measured."`
	Duration time.Duration `short:"d" default:"10s" help:"How long to measure."`
	Settle   time.Duration `default:"5s" help:"How long to wait at the end for what is still to come, at most."`
}

// benchOutput is where the report goes.
type benchOutput struct {
	JSON string `name:"json" placeholder:"FILE" help:"Write the report as JSON."`
	CSV  string `name:"csv" placeholder:"FILE" help:"Write one line a second."`
	HTML string `name:"html" placeholder:"FILE" help:"Write the report as a page with charts."`
}

// Run measures, until it is done or told to stop, and reports what there is.
func (c *benchCommand) Run(ctx context.Context, p *program) error {
	token := p.env("WIREROOM_TOKEN")
	if c.TokenFile != "" {
		content, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return &failure{status: exitUsage, err: fmt.Errorf("read the token: %w", err)}
		}
		token = strings.TrimSpace(string(content))
	}
	o := c.options(token)
	if err := o.Check(); err != nil {
		return &failure{exitUsage, err, "`wireroom bench --help` says what there is."}
	}
	for _, pid := range o.PIDs {
		if !runs(pid) {
			return &failure{exitUsage, fmt.Errorf("there is no process %d", pid), ""}
		}
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	report, err := bench.Run(ctx, o, []string{"bench-worker"}, bench.PrintProgress(p.err))
	if err != nil && report == nil {
		return &failure{exitUnreachable, fmt.Errorf("bench: %w", err), "Is the server running, and --server its URL?"}
	}
	report.Version = versionName()
	return errors.Join(err, c.Out.write(p, report))
}

// runs reports whether there is a process of that number.
func runs(pid int) bool {
	process, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer func() { _ = process.Release() }()
	return !errors.Is(process.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

func (c *benchCommand) options(token string) bench.Options {
	return bench.Options{
		Scenario: c.Scenario, Servers: c.Server, Speak: c.Speak, Token: token, Insecure: c.Insecure,
		PIDs: c.PIDs, Processes: c.Processes, Sources: c.Source,
		Connections: c.Load.Connections, Rooms: c.Load.Rooms, Prefix: c.Load.Prefix, Payload: c.Load.Size,
		Rate: c.Load.Rate, Window: c.Load.Window, Publishers: c.Load.Publishers, Replies: c.Load.Replies,
		Presence: c.Load.Presence, Compress: c.Load.Compress, Stalled: c.Load.Stalled, Stay: c.Load.Stay,
		Ramp: c.Times.Ramp, Warmup: c.Times.Warmup, Duration: c.Times.Duration, Settle: c.Times.Settle,
	}
}

// write writes the report wherever it is wanted.
func (o *benchOutput) write(p *program, r *bench.Report) error {
	var all error
	for _, f := range []struct {
		path  string
		write func(f *os.File) error
	}{
		{o.JSON, func(f *os.File) error { return r.WriteJSON(f) }},
		{o.CSV, func(f *os.File) error { return r.WriteCSV(f) }},
		{o.HTML, func(f *os.File) error { return r.WriteHTML(f) }},
	} {
		if f.path == "" {
			continue
		}
		file, err := os.Create(f.path)
		if err == nil {
			err = errors.Join(f.write(file), file.Close())
		}
		if err != nil {
			all = errors.Join(all, fmt.Errorf("write the report: %w", err))
		}
	}
	return errors.Join(all, r.WriteText(p.out))
}

// benchWorkerCommand is a process of `wireroom bench`: it is told what to do on standard input.
type benchWorkerCommand struct{}

// Run works until the input ends.
func (benchWorkerCommand) Run(p *program) error { return bench.Serve(p.in, p.out) }
