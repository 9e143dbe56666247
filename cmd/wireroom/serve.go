package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/web"
)

// Bounds of the HTTP server that are no settings.
const (
	maxHeader   = 16 << 10         // bytes of a request's header
	idleTimeout = 60 * time.Second // of a connection between two requests

	bodyTimeout   = 10 * time.Second // for the body of a request whose answer does not depend on it
	answerTimeout = 3 * time.Minute  // for a request to be answered and the answer to be taken; a poll waits for up to one
)

// serveCommand is `wireroom serve`.
type serveCommand struct {
	settings
}

// Run serves until SIGINT or SIGTERM, then drains.
func (s *serveCommand) Run(ctx context.Context, p *program, line *kong.Context) error {
	loaded, err := s.load(p, line)
	if err != nil {
		return err
	}
	c := &loaded.Config
	logger := newLogger(p.err, c.Log)
	for _, text := range loaded.Warnings {
		logger.Warn(text)
	}
	// A signal ends the server; a second one ends the process at once, whatever it does.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	made, err := newService(ctx, c, logger)
	defer made.close()
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	server := made.server
	front, err := newFrontend(loaded, made, logger)
	if err != nil {
		return errors.Join(err, server.Close())
	}
	defer front.close()
	failed := make(chan error, 1)
	go func() { failed <- front.serve() }()
	again := &reloader{
		server: server, verifier: made.verifier, logger: logger, began: *c, secure: front.security, names: front.names, madeUp: made.adminKey,
		load: func() (*config.Loaded, error) { return s.load(p, line) },
	}
	defer beside(ctx, again, func() { made.board.run(ctx, server) })()
	front.admin.start(logger)
	p.announce(loaded, front, made.adminKey, logger)
	select {
	case err := <-failed:
		stop()
		return errors.Join(fmt.Errorf("serve: %w", err), server.Close())
	case <-ctx.Done():
	}
	stop()
	err = drain(server, front, c.DrainTimeout, logger)
	<-failed //nolint:errcheck // that it was shut down
	return err
}

// beside reloads when the process is told to, and runs board, both until ctx ends; what it returns waits for them.
func beside(ctx context.Context, again *reloader, board func()) (wait func()) {
	hung, unhang := hangups()
	var running sync.WaitGroup
	running.Go(func() { again.run(ctx, hung) })
	running.Go(board)
	return func() {
		running.Wait()
		unhang()
	}
}

// drain ends the server gently, in the order that a load balancer needs: first it is not ready, then clients are sent
// elsewhere, and only then nobody answers any more.
func drain(server *wireroom.Server, front *frontend, timeout time.Duration, logger *slog.Logger) error {
	sessions, _ := server.Counts()
	logger.Info("draining; a second signal ends the server at once", "sessions", sessions, "timeout", timeout)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	err := errors.Join(server.Shutdown(ctx), front.http.Shutdown(ctx))
	if errors.Is(err, context.DeadlineExceeded) {
		logger.Warn("the drain took too long; the clients that were left have been cut off", "timeout", timeout)
		return front.http.Close()
	}
	if err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	logger.Info("drained")
	return nil
}

// frontend is the HTTP server in front of a Server, and the address that it listens on.
type frontend struct {
	http     *http.Server
	listener net.Listener
	names    *locality
	security *security  // nil without TLS
	admin    *backstage // nil without administrators
}

// newFrontend listens, so that whoever is told the address can connect to it.
func newFrontend(loaded *config.Loaded, made *service, logger *slog.Logger) (*frontend, error) {
	c := &loaded.Config
	handler, err := routes(c, made.server)
	if err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	f := &frontend{http: &http.Server{
		Handler:           made.traces.Handler(handler, made.server.ShowsKey),
		ReadHeaderTimeout: c.ActiveLimits().HandshakeTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ConnState:         made.server.ConnState,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug), // what clients do wrong is their business
		Protocols:         new(http.Protocols),
	}}
	f.http.Protocols.SetHTTP1(true) // an upgrade to WebSocket is one of HTTP/1.1
	if f.security, err = newSecurity(c, logger); err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	if f.listener, err = net.Listen("tcp", c.Listen); err != nil {
		f.security.close()
		return nil, &failure{exitFailed, fmt.Errorf("serve: %w", err), listenAdvice(err)}
	}
	f.names = newLocality(c, f.listener.Addr())
	f.http.Handler = f.names.handler(f.http.Handler)
	if f.admin, err = newBackstage(loaded, made, f.security, logger); err != nil {
		_ = f.listener.Close() // nobody has connected
		f.security.close()
		return nil, fmt.Errorf("serve: %w", err)
	}
	if f.security != nil {
		f.security.start(c.TLS.HTTPSPort(f.listener.Addr()), c.ActiveLimits(), logger)
	}
	return f, nil
}

// close ends what stands beside the server for clients, which has been shut down.
func (f *frontend) close() {
	f.admin.close()
	f.security.close()
}

// listenAdvice says what helps when one cannot listen.
func listenAdvice(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "Another program listens there, perhaps another Wireroom. Choose another port: --listen 127.0.0.1:8081, or 127.0.0.1:0 for any free one."
	case errors.Is(err, syscall.EACCES):
		return "Ports below 1024 are for the administrator. Choose a higher one, or allow this one: setcap cap_net_bind_service=+ep on the binary."
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "This machine does not have that address. :PORT listens on all that it has."
	}
	return ""
}

// serve serves until the frontend is shut down or fails.
func (f *frontend) serve() error {
	return f.http.Serve(f.security.secured(f.listener))
}

// routes returns the handler for everything: the server's paths, and the pages for the rest.
func routes(c *config.Config, server *wireroom.Server) (http.Handler, error) {
	var pages []web.Page
	if servesChat(c) {
		pages = append(pages, web.Chat)
	}
	if servesTransports(c) {
		pages = append(pages, web.Transports)
	}
	if servesDashboard(c) {
		pages = append(pages, web.Dashboard)
	}
	if len(pages) == 0 {
		return server, nil
	}
	rest, err := web.Handler(pages...)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	paths := slices.Concat(c.Paths, orNoPath(c.StreamPaths), orNoPath(c.PollPaths), orNoPath(c.SendPaths), orNoPath(c.SocketIO.Paths))
	for _, path := range append(paths, "/healthz", "/readyz", "/api/") {
		mux.Handle(path, server)
	}
	mux.Handle("/", hurried(rest))
	return mux, nil
}

// hurried has the bodies of requests come soon, of which pages have no use: net/http reads them all the same, and waits
// for them as long as it may. A Server sees to that by itself.
func hurried(pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)) // there is none without a connection
		}
		pages.ServeHTTP(w, r)
	})
}

// servesChat reports whether there is a chat page: it connects to the default path.
func servesChat(c *config.Config) bool { return c.Chat && hasDefaultPath(c) }

// servesDashboard reports whether there is a dashboard: it does so, too.
func servesDashboard(c *config.Config) bool { return c.Dashboard && hasDefaultPath(c) }

// servesTransports reports whether there is the page that shows the transports: beside the chat, where all of them have
// their default paths.
func servesTransports(c *config.Config) bool {
	return servesChat(c) && slices.Contains(c.StreamPaths, wireroom.DefaultSSEPath) && slices.Contains(c.PollPaths, wireroom.DefaultPollPath) &&
		slices.Contains(c.SendPaths, wireroom.DefaultSendPath) && slices.Contains(c.SocketIO.Paths, wireroom.DefaultSocketIOPath)
}

func hasDefaultPath(c *config.Config) bool { return slices.Contains(c.Paths, wireroom.DefaultPath) }
