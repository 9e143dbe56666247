//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/wireroom/wireroom/internal/bench"
)

// contestant is a server that is measured.
type contestant struct {
	name  string
	speak string
	echo  bool     // it is asked to send back what comes
	args  []string // the command
	more  []string // arguments of the load tester
}

// The contestants' names.
const (
	nameWireroom = "wireroom"
	nameBare     = "bare loop"
	nameWS       = "ws"
	nameSocketIO = "Socket.IO"
	nameConn     = "conn"
	nameConnOne  = "conn, one loop"
	nameBareEcho = "bare loop, echo"
	nameWSEcho   = "ws, echo"
	nameDeflated = "wireroom, compressed"
)

// contestants returns those named that are installed.
func (o *options) contestants(names ...string) []contestant {
	raised := []string{
		filepath.Join(o.bin, "wireroom"), "serve", "--listen", "127.0.0.1:0", "--no-chat",
		"--limits-publish-rate", "1000000", "--limits-publish-burst", "1000000",
	}
	all := []contestant{
		{name: nameWireroom, speak: "native", args: raised},
		{name: nameBare, speak: "native", args: []string{filepath.Join(o.bin, "bare")}},
		{name: nameDeflated, speak: "native", args: append(raised[:len(raised):len(raised)], "--compression"), more: []string{"--compress"}},
		{name: nameBareEcho, speak: "echo", echo: true, args: []string{filepath.Join(o.bin, "bare")}},
		{name: nameWSEcho, speak: "echo", echo: true, args: []string{"node", filepath.Join(o.peers, "ws.mjs")}},
		{name: nameConn, speak: "echo", echo: true, args: []string{filepath.Join(o.bin, "echo")}},
		{name: nameConnOne, speak: "echo", echo: true, args: []string{filepath.Join(o.bin, "echo"), "-loops", "1"}},
		{name: nameWS, speak: "native", args: []string{"node", filepath.Join(o.peers, "ws.mjs")}},
		{name: nameSocketIO, speak: "socketio", args: []string{"node", filepath.Join(o.peers, "socketio.mjs")}},
	}
	var chosen []contestant
	for _, name := range names {
		for _, c := range all {
			if c.name == name && (c.args[0] != "node" || o.installed()) {
				chosen = append(chosen, c)
			}
		}
	}
	return chosen
}

// installed reports whether the servers for Node.js have what they need.
func (o *options) installed() bool {
	_, err := os.Stat(filepath.Join(o.peers, "node_modules"))
	return err == nil
}

// server is a contestant that runs.
type server struct {
	command *exec.Cmd
	out     *bufio.Reader
	url     string
}

// start starts a contestant.
func (c *contestant) start(ctx context.Context) (*server, error) {
	s := &server{command: exec.CommandContext(ctx, c.args[0], c.args[1:]...)}
	s.command.Stderr = io.Discard
	s.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := s.command.StdoutPipe()
	if err == nil {
		err = s.command.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	s.out = bufio.NewReader(out)
	for s.url == "" {
		line, err := s.out.ReadString('\n')
		if err != nil {
			s.stop()
			return nil, fmt.Errorf("start %s: it has said no URL: %w", c.name, err)
		}
		if at := strings.Index(line, "ws://"); at >= 0 {
			s.url = strings.TrimSpace(line[at:])
		}
	}
	if c.echo {
		s.url = s.url[:strings.LastIndexByte(s.url, '/')] + "/echo"
	}
	return s, nil
}

// stop ends it.
func (s *server) stop() {
	_ = s.command.Process.Kill() // it may have ended
	_ = s.command.Wait()         // its status is the signal's
}

// measure runs the load tester against a contestant.
func (o *options) measure(ctx context.Context, c contestant, args []string) (*bench.Report, error) {
	s, err := c.start(ctx)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	return o.tester(ctx, s, slices.Concat([]string{"--speak", c.speak}, c.more, args), nil)
}

// tester runs the load tester against a server. watch, if not nil, is called once a second with the phase of the test.
func (o *options) tester(ctx context.Context, s *server, args []string, watch func(phase string)) (*bench.Report, error) {
	file, err := os.CreateTemp("", "bars-*.json")
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	all := append([]string{"bench"}, args...)
	all = append(
		all, "--server", s.url, "--pid", strconv.Itoa(s.command.Process.Pid), "--json", file.Name(),
		"-d", time.Duration(o.seconds*float64(time.Second)).String(), "--settle", "20s",
	)
	t := exec.CommandContext(ctx, filepath.Join(o.bin, "wireroom"), all...)
	progress, err := t.StderrPipe()
	if err == nil {
		err = t.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("wireroom bench: %w", err)
	}
	var said strings.Builder
	for lines := bufio.NewScanner(progress); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); watch != nil && len(fields) > 1 {
			watch(fields[1])
		}
		fmt.Fprintln(&said, lines.Text())
	}
	if err := t.Wait(); err != nil {
		return nil, fmt.Errorf("wireroom %v: %w\n%s", all, err, said.String())
	}
	report := &bench.Report{}
	if err := json.NewDecoder(file).Decode(report); err != nil {
		return nil, fmt.Errorf("the report of wireroom bench: %w", err)
	}
	if report.Interrupted || report.Server == nil {
		return nil, fmt.Errorf("wireroom %v: it was interrupted, or the server is not known\n%s", all, said.String())
	}
	return report, nil
}
