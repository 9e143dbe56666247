package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/exporter"
	"github.com/wireroom/wireroom/web"
)

// backstage is the HTTP server that administrators reach: the API with every scope, metrics, health.
type backstage struct {
	http     *http.Server
	listener net.Listener
	security *security // nil without TLS
	work     sync.WaitGroup
}

// newBackstage listens where administrators are answered; nil if they are not. The default address may be taken, by
// another Wireroom perhaps: then any free port will do.
func newBackstage(loaded *config.Loaded, made *service, secure *security, logger *slog.Logger) (*backstage, error) {
	c := &loaded.Config
	if !c.Admin.Enabled() {
		return nil, nil
	}
	listener, err := net.Listen("tcp", c.Admin.Listen)
	if errors.Is(err, syscall.EADDRINUSE) && loaded.Source("admin.listen") == "default" {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, &failure{exitFailed, fmt.Errorf("listen for administrators: %w", err), "--admin-listen says where: another address, or off. " + listenAdvice(err)}
	}
	handler, err := backstageRoutes(made.server)
	if err != nil {
		_ = listener.Close() // nobody has connected
		return nil, err
	}
	b := &backstage{listener: listener, http: &http.Server{
		Handler:           made.traces.Handler(handler, made.server.ShowsKey),
		ReadHeaderTimeout: c.ActiveLimits().HandshakeTimeout,
		WriteTimeout:      answerTimeout,
		ConnState:         made.server.ConnState,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}}
	if address, ok := listener.Addr().(*net.TCPAddr); !ok || !address.IP.IsLoopback() {
		b.security = secure // on this machine nobody listens in
	}
	return b, nil
}

// backstageRoutes returns the handler for administrators.
func backstageRoutes(server *wireroom.Server) (http.Handler, error) {
	numbers, err := exporter.New(server.Metrics, versionName())
	if err != nil {
		return nil, fmt.Errorf("export numbers: %w", err)
	}
	pages, err := web.Handler(web.Admin)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", pages)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "admin") // a proxy may have put all of it under a prefix
		w.WriteHeader(http.StatusFound)
	})
	mux.Handle("GET /metrics", numbers.Handler())
	mux.Handle("/api/", server.Admin())
	mux.Handle("GET /healthz", server)
	mux.Handle("GET /readyz", server.Readiness())
	return mux, nil
}

// start begins to answer; nil has nothing to begin.
func (b *backstage) start(logger *slog.Logger) {
	if b == nil {
		return
	}
	b.work.Go(func() {
		if err := b.http.Serve(b.security.secured(b.listener)); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("administrators are not answered any more", "error", err)
		}
	})
}

// close ends what start began.
func (b *backstage) close() {
	if b == nil {
		return
	}
	_ = b.http.Close()     // nothing is lost with it
	_ = b.listener.Close() // if it was never started
	b.work.Wait()
}

// url returns where administrators are answered, or "".
func (b *backstage) url() string {
	if b == nil {
		return ""
	}
	host, scheme := b.listener.Addr().String(), "http"
	if tcp, ok := b.listener.Addr().(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		host = fmt.Sprintf("localhost:%d", tcp.Port)
	}
	if b.security != nil {
		scheme = "https"
	}
	return fmt.Sprintf("%s://%s/", scheme, host)
}
