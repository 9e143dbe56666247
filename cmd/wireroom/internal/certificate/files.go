// Package certificate keeps the certificates of a server: files that are read anew when they change, or what an
// authority gives by ACME.
package certificate

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Files is the certificate in two files. Its methods may be called at once.
type Files struct {
	certFile, keyFile string
	logger            *slog.Logger
	current           atomic.Pointer[tls.Certificate]

	mu   sync.Mutex // held while the files are read
	seen [2]os.FileInfo
}

// Load reads a certificate and its key, in PEM form.
func Load(certFile, keyFile string, logger *slog.Logger) (*Files, error) {
	f := &Files{certFile: certFile, keyFile: keyFile, logger: logger}
	f.seen = f.look()
	pair, err := f.read()
	if err != nil {
		return nil, err
	}
	if err := inForce(pair, time.Now()); err != nil {
		logger.Warn("clients will refuse this certificate", "file", certFile, "error", err)
	}
	f.use(pair)
	return f, nil
}

// Get is a tls.Config's GetCertificate.
func (f *Files) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.current.Load(), nil }

// Reload reads the files and uses what is in them for the handshakes that follow. After an error the certificate stays
// that was used before: also when the new one is not in force, unless the old one is not either.
func (f *Files) Reload() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = f.look()
	pair, err := f.read()
	if err != nil {
		return err
	}
	old := f.current.Load()
	if slices.EqualFunc(pair.Certificate, old.Certificate, bytes.Equal) {
		return nil
	}
	now := time.Now()
	if err := inForce(pair, now); err != nil && inForce(old, now) == nil {
		return fmt.Errorf("%s: %w", f.certFile, err)
	}
	f.use(pair)
	return nil
}

// Watch reloads the files when they have changed, looking every so often, until ctx ends. What it finds wrong it logs.
func (f *Files) Watch(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !f.changed() {
			continue
		}
		if err := f.Reload(); err != nil {
			f.logger.Error("the new certificate is refused; the old one stays", "error", err)
		}
	}
}

// changed reports whether the files are others than those read last. Links are followed: certbot and Kubernetes change
// where they lead to.
func (f *Files) changed() bool {
	now := f.look()
	f.mu.Lock()
	defer f.mu.Unlock()
	return !slices.EqualFunc(now[:], f.seen[:], sameFile)
}

func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// look returns what the file system says of the two files; nil for one that is not there.
func (f *Files) look() (infos [2]os.FileInfo) {
	for i, name := range []string{f.certFile, f.keyFile} {
		if info, err := os.Stat(name); err == nil { // otherwise reading it will say
			infos[i] = info
		}
	}
	return infos
}

func (f *Files) read() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(f.certFile, f.keyFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate %s with the key %s: %w", f.certFile, f.keyFile, err)
	}
	return &pair, nil
}

func (f *Files) use(pair *tls.Certificate) {
	f.current.Store(pair)
	f.logger.Info("certificate in use", "file", f.certFile, "names", pair.Leaf.DNSNames, "until", pair.Leaf.NotAfter)
}

// inForce returns an error for a certificate that clients refuse at that time.
func inForce(pair *tls.Certificate, now time.Time) error {
	switch leaf := pair.Leaf; {
	case leaf == nil:
		return errors.New("the certificate cannot be read")
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("the certificate is not valid before %v", leaf.NotBefore)
	case now.After(leaf.NotAfter):
		return fmt.Errorf("the certificate was valid until %v", leaf.NotAfter)
	}
	return nil
}
