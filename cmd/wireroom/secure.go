package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/certificate"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

// lookAtFiles is how often the files of the certificate are looked at.
const lookAtFiles = 10 * time.Second

// security is the TLS of a frontend: where its certificates come from, and who looks after them.
type security struct {
	config   *tls.Config
	reload   func() error                   // reads the certificate anew
	tend     func(ctx context.Context)      // looks after certificates until ctx ends
	plain    func(port string) http.Handler // what answers plain HTTP
	redirect *http.Server                   // nil without
	listener net.Listener                   // of redirect
	work     sync.WaitGroup
	stop     context.CancelFunc
}

// newSecurity returns the TLS of a configuration, nil if there is none. It listens for plain HTTP already.
func newSecurity(c *config.Config, logger *slog.Logger) (*security, error) {
	var s *security
	switch t := c.TLS; {
	case t.CertFile != "":
		files, err := certificate.Load(t.CertFile, t.KeyFile, logger)
		if err != nil {
			return nil, err
		}
		s = &security{
			config: &tls.Config{GetCertificate: files.Get}, reload: files.Reload, plain: certificate.Redirect,
			tend: func(ctx context.Context) { files.Watch(ctx, lookAtFiles) },
		}
	case len(t.ACME.Domains) > 0:
		authority := certificate.NewAuthority(certificate.Order{
			Domains: t.ACME.Domains, Email: t.ACME.Email, Cache: c.ACMECache(), Directory: t.ACME.Directory, Logger: logger,
		})
		s = &security{
			config: &tls.Config{GetCertificate: authority.Get, NextProtos: []string{"http/1.1", certificate.Protocol}},
			reload: func() error { return nil }, tend: authority.Fetch,
			plain: func(port string) http.Handler { return authority.Handler(certificate.Redirect(port)) },
		}
	default:
		return nil, nil
	}
	if address := c.TLS.RedirectAddress(); address != "" {
		var err error
		if s.listener, err = net.Listen("tcp", address); err != nil {
			return nil, &failure{exitFailed, fmt.Errorf("listen for plain HTTP: %w", err), listenAdvice(err) + " --tls-redirect says where plain HTTP is redirected."}
		}
	}
	return s, nil
}

// start begins to look after certificates and to answer plain HTTP.
func (s *security) start(port string, limits config.Limits, logger *slog.Logger) {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	if s.listener == nil {
		s.work.Go(func() { s.tend(ctx) })
		return
	}
	s.redirect = &http.Server{
		Handler: s.plain(port), ReadHeaderTimeout: limits.HandshakeTimeout, IdleTimeout: idleTimeout,
		ReadTimeout: bodyTimeout, WriteTimeout: answerTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	s.work.Go(func() { s.tend(ctx) }) // which proves names over plain HTTP only where something answers
	logger.Info("plain HTTP is redirected", "address", s.listener.Addr())
	s.work.Go(func() {
		if err := s.redirect.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("plain HTTP is not redirected any more", "error", err)
		}
	})
}

// close ends what start began; nil has nothing to end.
func (s *security) close() {
	if s == nil {
		return
	}
	if s.stop != nil {
		s.stop()
	}
	if s.redirect != nil {
		_ = s.redirect.Close() // nothing is lost with it
	} else if s.listener != nil {
		_ = s.listener.Close()
	}
	s.work.Wait()
}

// secured returns a listener that speaks TLS, or inner itself without.
func (s *security) secured(inner net.Listener) net.Listener {
	if s == nil {
		return inner
	}
	return wireroom.NewTLSListener(inner, s.config)
}
