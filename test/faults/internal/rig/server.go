package rig

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// How long a server may take to be ready, and to answer what it knows.
const (
	startTimeout  = 60 * time.Second
	answerTimeout = 60 * time.Second
)

// keepAll are the rules of a server that forgets nothing during a trial.
const keepAll = `rules:
  - pattern: "latest/**"
    delivery: latest
    history: {messages: 1000}
  - pattern: "small/**"
    history: {messages: 1000, bytes: 4MiB, age: 24h}
  - pattern: "**"
    history: {messages: 5000000, bytes: 8GiB, age: 24h}
    presence: false
`

// Server is a server in a process of its own, which is killed and started again at the same address.
type Server struct {
	Addr    string
	trial   *Trial
	binary  string
	args    []string
	log     string
	mu      sync.Mutex
	process *exec.Cmd
	exited  chan struct{} // closed when process has ended
}

// ServerOptions say how a server runs.
type ServerOptions struct {
	Program string   // Product, unless it says otherwise
	Data    string   // the directory of the disk engine; empty: memory
	Args    []string // more flags
	Host    string   // to listen on; an address of this machine alone, unless it says otherwise
	Limits  bool     // what one client may do is bounded as for users
	Movable bool     // its wall clock can be moved: SetClock
}

// Serve builds a server, starts it, and waits until it is ready.
func (t *Trial) Serve(ctx context.Context, o ServerOptions) (*Server, error) {
	if o.Program == "" {
		o.Program = Product
	}
	build := t.Build
	if o.Movable {
		build = t.buildMovable
	}
	binary, err := build(ctx, o.Program)
	if err != nil {
		return nil, err
	}
	s := &Server{trial: t, binary: binary, log: filepath.Join(t.Dir, "server.log")}
	if s.Addr, err = FreeAddress(o.Host); err != nil {
		return nil, err
	}
	rules := filepath.Join(t.Dir, "wireroom.yaml")
	if err := os.WriteFile(rules, []byte(keepAll), 0o600); err != nil {
		return nil, err
	}
	s.args = []string{"serve", "--config", rules, "--listen", s.Addr}
	if !o.Limits {
		s.args = append(s.args, "--no-limits")
	}
	if o.Data != "" {
		s.args = append(s.args, "--data", o.Data)
	}
	s.args = append(s.args, o.Args...)
	t.AtEnd(s.Kill)
	return s, s.Start(ctx)
}

// FreeAddress returns an address that nobody else takes while the server is down: of host, or 127.x.y.z, with three
// bytes by chance.
func FreeAddress(host string) (string, error) {
	if host == "" {
		host = fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
	}
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// Start starts the server and waits until it is ready. A server that ends instead is an error.
func (s *Server) Start(ctx context.Context) error {
	if err := s.Launch(); err != nil {
		return err
	}
	err := Wait(ctx, "the server is ready", startTimeout, func() bool {
		ready, _ := s.Ready()
		return ready || s.Exited()
	})
	if err == nil && s.Exited() {
		err = errors.New("the server ended by itself")
	}
	return err
}

// Launch starts the server and does not wait.
func (s *Server) Launch() error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	s.mu.Lock()
	defer s.mu.Unlock()
	c := exec.Command(s.binary, s.args...)
	c.Stdout, c.Stderr = log, log
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	s.process, s.exited = c, make(chan struct{})
	go func(exited chan struct{}) {
		_ = c.Wait() // how it ended is seen by who asks
		close(exited)
	}(s.exited)
	return nil
}

// Pid returns the process's number.
func (s *Server) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process.Process.Pid
}

// Exited reports whether the process has ended.
func (s *Server) Exited() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.exited:
		return true
	default:
		return false
	}
}

// Run starts another program, which ends with the trial. What it prints goes into a file of its name.
func (t *Trial) Run(program string, args ...string) error {
	log, err := os.Create(filepath.Join(t.Dir, filepath.Base(program)+".log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	c := exec.Command(program, args...)
	c.Stdout, c.Stderr = log, log
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	t.AtEnd(func() error {
		_ = c.Process.Kill() // it may have ended
		_ = c.Wait()
		return nil
	})
	return nil
}

// Signal sends a signal.
func (s *Server) Signal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.process.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%v to the server: %w", sig, err)
	}
	return nil
}

// Kill ends the process at once (kill -9), and returns when it is gone.
func (s *Server) Kill() error {
	s.mu.Lock()
	process, exited := s.process, s.exited
	s.mu.Unlock()
	if process == nil {
		return nil
	}
	err := s.Signal(syscall.SIGKILL)
	<-exited
	return err
}

// URL returns where clients connect to.
func (s *Server) URL() string { return "ws://" + s.Addr + "/ws" }

// Ready asks /readyz; why is what it answers when it is not.
func (s *Server) Ready() (ready bool, why string) {
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := c.Get("http://" + s.Addr + "/readyz")
	if err != nil {
		return false, err.Error()
	}
	defer func() { _ = answer.Body.Close() }()
	b := make([]byte, 1000)
	n, _ := answer.Body.Read(b)
	return answer.StatusCode == http.StatusOK, strings.TrimSpace(string(b[:n]))
}

// Counter returns a number of what the program Node counts; "reads" is how often a log was read.
func (s *Server) Counter(ctx context.Context, name string) (n int64, err error) {
	err = Within(ctx, "a node says its counter "+name, answerTimeout, func(ctx context.Context) error {
		n, err = s.counter(ctx, name)
		return err
	})
	return n, err
}

func (s *Server) counter(ctx context.Context, name string) (n int64, err error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Addr+"/faults/"+name, nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	_, err = fmt.Fscan(answer.Body, &n)
	return n, err
}

// Log returns what the server has logged.
func (s *Server) Log() string {
	b, _ := os.ReadFile(s.log)
	return string(b)
}

// Panicked returns an error if the server has ever panicked.
func (s *Server) Panicked() error {
	log := s.Log()
	for _, word := range []string{"panic", "fatal error:", "DATA RACE"} {
		if i := strings.Index(log, word); i >= 0 {
			return fmt.Errorf("the server panicked: %s", log[i:min(len(log), i+2000)])
		}
	}
	return nil
}

// Usage is what a process uses.
type Usage struct {
	Memory      int64 // bytes in memory (VmRSS)
	Peak        int64 // the most there have been (VmHWM)
	Descriptors int
	CPU         time.Duration
}

// Usage returns what the server uses now.
func (s *Server) Usage() (u Usage, err error) {
	dir := fmt.Sprintf("/proc/%d/", s.Pid())
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			u.Memory = n << 10
		case "VmHWM":
			u.Peak = n << 10
		}
	}
	open, err := os.ReadDir(dir + "fd")
	if err != nil {
		return u, err
	}
	u.Descriptors = len(open)
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		return u, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) > 13 {
		user, _ := strconv.ParseInt(fields[11], 10, 64)
		system, _ := strconv.ParseInt(fields[12], 10, 64)
		u.CPU = time.Duration(user+system) * 10 * time.Millisecond
	}
	return u, nil
}
