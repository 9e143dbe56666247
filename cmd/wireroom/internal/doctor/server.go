package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

// What is enough.
const (
	askTimeout   = 5 * time.Second
	soon         = 14 * 24 * time.Hour    // a certificate must be replaced
	slowSync     = 50 * time.Millisecond  // of a disk
	slowEngine   = 100 * time.Millisecond // there and back
	maxAhead     = 2 * time.Second        // the engine's clock
	lowSpace     = uint64(1) << 30        // bytes
	fileOfDoctor = ".wireroom-doctor-*.tmp"
)

// checkListener checks whether the address is free, or who is there.
func checkListener(ctx context.Context, c *config.Config) []Finding {
	const check = "address"
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err == nil {
		_ = listener.Close() // it was only to see
		return ok(check, "%s is free", c.Listen)
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return checkRunning(ctx, c)
	case errors.Is(err, syscall.EACCES):
		return found(check, Fail, err.Error(), "Ports below 1024 are for the administrator. Choose a higher one, or allow this one: setcap cap_net_bind_service=+ep on the binary, AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit of systemd.")
	}
	return found(check, Fail, err.Error(), "--listen says where: an address that this machine has, or :PORT for all of them.")
}

// checkRunning checks who listens on the address.
func checkRunning(ctx context.Context, c *config.Config) []Finding {
	const check = "server"
	_, port, _ := net.SplitHostPort(c.Listen) // the configuration was checked
	scheme := "http"
	client := &http.Client{Timeout: askTimeout, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the certificate is checked by itself
	}}
	defer client.CloseIdleConnections()
	if c.TLS.Enabled() {
		scheme = "https"
	}
	url := fmt.Sprintf("%s://127.0.0.1:%s/readyz", scheme, port)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return found(check, Fail, err.Error(), "")
	}
	response, err := client.Do(r)
	if err != nil {
		return found(check, Fail, fmt.Sprintf("somebody listens on %s who does not answer %s: %v", c.Listen, url, err), "Another program has the port, or the server hangs. `ss -ltnp` shows who it is.")
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10)) // what was read will do
	why := strings.TrimSpace(string(text))
	switch response.StatusCode {
	case http.StatusOK:
		return ok(check, "a server runs on %s, and is ready", c.Listen)
	case http.StatusServiceUnavailable:
		return found(check, Fail, fmt.Sprintf("a server runs on %s, and is not ready: %s", c.Listen, why), "Its log says more.")
	}
	return found(check, Fail, fmt.Sprintf("%s answers %s: this is no Wireroom", url, response.Status), "Another program has the port. `ss -ltnp` shows who it is; --listen takes another one.")
}

// checkCertificate checks the files of the certificate.
func (o Options) checkCertificate() []Finding {
	const check = "certificate"
	t := o.Config.TLS
	switch {
	case len(t.ACME.Domains) > 0:
		return ok(check, "certificates for %s are fetched by ACME; ports 80 and 443 of these names must lead here", strings.Join(t.ACME.Domains, ", "))
	case t.CertFile == "":
		return o.noCertificate()
	}
	pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return found(check, Fail, err.Error(), "Both files in PEM form, the key that belongs to the certificate.")
	}
	leaf := pair.Leaf
	if leaf == nil {
		if leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return found(check, Fail, err.Error(), "")
		}
	}
	names := strings.Join(leaf.DNSNames, ", ")
	switch left := leaf.NotAfter.Sub(o.Now); {
	case left <= 0:
		return found(check, Fail, fmt.Sprintf("the certificate for %s has expired on %s", names, leaf.NotAfter.Format(time.DateOnly)), "Replace the files: the server takes them within 10 s, without a restart.")
	case o.Now.Before(leaf.NotBefore):
		return found(check, Fail, fmt.Sprintf("the certificate for %s holds from %s on", names, leaf.NotBefore.Format(time.DateTime)), "The clock of this machine is wrong, or the certificate is for later.")
	case left < soon:
		return found(check, Warn, fmt.Sprintf("the certificate for %s expires in %d days", names, int(left.Hours()/24)), "Replace the files: the server takes them within 10 s, without a restart.")
	case len(pair.Certificate) == 1 && leaf.CheckSignatureFrom(leaf) != nil:
		return found(check, Warn, fmt.Sprintf("the file for %s has no certificate of its issuer", names), "Many clients will not trust it: put the issuer's certificate behind it in the file (fullchain.pem).")
	}
	return ok(check, "the certificate for %s holds until %s", names, leaf.NotAfter.Format(time.DateOnly))
}

// noCertificate says what follows from having none.
func (o Options) noCertificate() []Finding {
	host, _, _ := net.SplitHostPort(o.Config.Listen) // the configuration was checked
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return ok("certificate", "none: only this machine connects")
	}
	if len(o.Config.TrustedProxies) > 0 {
		return ok("certificate", "none: the trusted proxies are for TLS")
	}
	return found("certificate", Warn, "there is no TLS, and other machines may connect", "Messages can be read on their way, and tokens of other machines are refused. Set tls, or put a proxy with TLS in front and name it in trusted_proxies.")
}

// checkEngine asks the engine to carry something.
func (o Options) checkEngine(ctx context.Context) []Finding {
	const check = "engine"
	if o.Engine == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, fmt.Errorf("no answer within %v", askTimeout))
	defer cancel()
	p, err := o.Engine(ctx)
	switch {
	case err != nil:
		return found(check, Fail, err.Error(), "Is there a server under this URL, with this password? `redis-cli -u URL ping` tells. A firewall may be between.")
	case p.Ahead.Abs() > maxAhead:
		return found(check, Warn, fmt.Sprintf("the engine's clock is %v off this machine's", p.Ahead.Round(time.Millisecond)), "Let both follow the same clock (NTP): messages are stamped with the engine's.")
	case p.RoundTrip > slowEngine:
		return found(check, Warn, fmt.Sprintf("the engine answers after %v", p.RoundTrip.Round(time.Millisecond)), "Each publish takes as long. Bring the two nearer to each other, or look what the engine's server is busy with (`redis-cli --latency`).")
	}
	return ok(check, "the engine answers within %v; what it acknowledges is kept as: %s", p.RoundTrip.Round(time.Millisecond), p.Durability)
}

// checkData checks the directory that messages are kept in.
func (o Options) checkData() []Finding {
	const check = "data"
	dir := o.Config.Data
	if dir == "" {
		if o.Config.Engine == "" {
			return found(check, Warn, "messages are kept in memory: they are gone when the server ends", "--data DIR keeps them, --engine redis://... shares them among nodes.")
		}
		return nil
	}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		dir = filepath.Dir(filepath.Clean(dir))
	}
	took, err := writeTime(dir)
	if err != nil {
		return found(check, Fail, err.Error(), "The server must be able to write there: chown the directory to its user, or take another one.")
	}
	free, size, known := o.System.FreeBytes(dir)
	what := fmt.Sprintf("%s: a write reaches the disk within %v", o.Config.Data, took.Round(100*time.Microsecond))
	if known {
		what += fmt.Sprintf(", %d MiB of %d are free", free>>20, size>>20)
	}
	switch {
	case known && free < lowSpace:
		return found(check, Warn, what, "Without room, publishes are refused (storage_full). Free some, give the directory a larger disk, or keep less history in the rules.")
	case took > slowSync:
		return found(check, Warn, what, "Publishes wait for it. A local SSD is a hundred times faster than a network disk.")
	}
	return ok(check, "%s", what)
}

// writeTime returns how long it takes until what is written in a directory is on the disk: the shortest of some times.
func writeTime(dir string) (shortest time.Duration, err error) {
	file, err := os.CreateTemp(dir, fileOfDoctor)
	if err != nil {
		return 0, err
	}
	defer func() {
		err = errors.Join(err, file.Close(), os.Remove(file.Name()))
	}()
	for i := range 5 {
		began := time.Now()
		if _, err := file.Write(make([]byte, 4<<10)); err != nil {
			return 0, err
		}
		if err := file.Sync(); err != nil {
			return 0, err
		}
		if took := time.Since(began); i == 0 || took < shortest {
			shortest = took
		}
	}
	return shortest, nil
}
