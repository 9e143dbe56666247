package doctor_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/doctor"
)

// proc makes a folder in the place of /proc.
func proc(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// well is a machine on which nothing is wrong, and a configuration with which nothing is.
func well(t *testing.T) doctor.Options {
	t.Helper()
	c := config.Default()
	c.Listen, c.Data = "127.0.0.1:0", t.TempDir()
	return doctor.Options{Config: &c, System: doctor.System{
		Proc: proc(t, map[string]string{
			"sys/net/core/somaxconn": "4096\n", "sys/net/ipv4/tcp_max_syn_backlog": "4096\n", "sys/fs/file-max": "9223372036854775807\n",
			"sys/net/netfilter/nf_conntrack_max": "262144\n", "sys/net/netfilter/nf_conntrack_count": "12\n",
			"meminfo": "MemTotal: 1 kB\nMemAvailable:    2097152 kB\n",
		}),
		Descriptors: func() (uint64, uint64, bool) { return 1024, 1 << 20, true },
		Clock:       func() (bool, time.Duration, bool) { return true, time.Millisecond, true },
		FreeBytes:   func(string) (uint64, uint64, bool) { return 1 << 40, 1 << 41, true },
	}}
}

// of returns the finding of a check.
func of(t *testing.T, findings []doctor.Finding, check string) doctor.Finding {
	t.Helper()
	for _, f := range findings {
		if f.Check == check {
			return f
		}
	}
	t.Fatalf("no finding about the %s in %+v", check, findings)
	return doctor.Finding{}
}

func TestFindsNothingWhereNothingIsWrong(t *testing.T) {
	o := well(t)
	o.Config.Engine = "redis://engine"
	o.Engine = func(context.Context) (doctor.Probe, error) {
		return doctor.Probe{Durability: "engine", RoundTrip: time.Millisecond}, nil
	}
	findings := doctor.Examine(t.Context(), o)
	for _, f := range findings {
		if f.Advice != "" || f.Level != doctor.OK && (f.Check != "data" || f.Level != doctor.Warn) { // a disk may be slow
			t.Errorf("%+v", f)
		}
	}
	for _, check := range []string{"descriptors", "backlog", "backlog of handshakes", "files of the system", "connection tracking", "clock", "memory", "address", "certificate", "engine"} {
		of(t, findings, check)
	}
}

func TestFindsWhatIsWrong(t *testing.T) {
	for name, row := range map[string]struct {
		change func(o *doctor.Options)
		check  string
		level  doctor.Level
		advice string
	}{
		"few descriptors": {func(o *doctor.Options) {
			o.System.Descriptors = func() (uint64, uint64, bool) { return 1024, 4096, true }
		}, "descriptors", doctor.Warn, "LimitNOFILE"},
		"fewer than connections": {func(o *doctor.Options) {
			o.Config.Limits.Connections = 2 << 20
		}, "descriptors", doctor.Fail, "LimitNOFILE"},
		"a short backlog": {func(o *doctor.Options) {
			o.System.Proc = proc(t, map[string]string{"sys/net/core/somaxconn": "128\n"})
		}, "backlog", doctor.Warn, "sysctl -w net.core.somaxconn=4096"},
		"no room for connections": {func(o *doctor.Options) {
			o.System.Proc = proc(t, map[string]string{"sys/net/netfilter/nf_conntrack_max": "100000", "sys/net/netfilter/nf_conntrack_count": "99000"})
		}, "connection tracking", doctor.Warn, "nf_conntrack_max"},
		"no memory": {func(o *doctor.Options) {
			o.System.Proc = proc(t, map[string]string{"meminfo": "MemAvailable: 1024 kB\n"})
		}, "memory", doctor.Warn, "more"},
		"a free clock": {func(o *doctor.Options) {
			o.System.Clock = func() (bool, time.Duration, bool) { return false, 0, true }
		}, "clock", doctor.Warn, "NTP"},
		"a wrong clock": {func(o *doctor.Options) {
			o.System.Clock = func() (bool, time.Duration, bool) { return true, 3 * time.Second, true }
		}, "clock", doctor.Warn, "NTP"},
		"a full disk": {func(o *doctor.Options) {
			o.System.FreeBytes = func(string) (uint64, uint64, bool) { return 1 << 20, 1 << 40, true }
		}, "data", doctor.Warn, "storage_full"},
		"nothing is kept": {func(o *doctor.Options) { o.Config.Data = "" }, "data", doctor.Warn, "--data"},
		"no directory": {func(o *doctor.Options) {
			o.Config.Data = filepath.Join(o.Config.Data, "absent", "more")
		}, "data", doctor.Fail, "write there"},
		"no TLS":          {func(o *doctor.Options) { o.Config.Listen = "0.0.0.0:0" }, "certificate", doctor.Warn, "tls"},
		"no such address": {func(o *doctor.Options) { o.Config.Listen = "192.0.2.1:0" }, "address", doctor.Fail, "--listen"},
		"no engine": {func(o *doctor.Options) {
			o.Engine = func(context.Context) (doctor.Probe, error) { return doctor.Probe{}, errors.New("refused") }
		}, "engine", doctor.Fail, "redis-cli"},
		"a far engine": {func(o *doctor.Options) {
			o.Engine = func(context.Context) (doctor.Probe, error) { return doctor.Probe{RoundTrip: time.Second}, nil }
		}, "engine", doctor.Warn, "nearer"},
		"an engine of another time": {func(o *doctor.Options) {
			o.Engine = func(context.Context) (doctor.Probe, error) { return doctor.Probe{Ahead: -time.Minute}, nil }
		}, "engine", doctor.Warn, "NTP"},
	} {
		o := well(t)
		row.change(&o)
		findings := doctor.Examine(t.Context(), o)
		if f := of(t, findings, row.check); f.Level != row.level || !strings.Contains(f.Advice, row.advice) {
			t.Errorf("%s: %+v", name, f)
		}
		if worst := doctor.Worst(findings); row.level == doctor.Fail && worst != doctor.Fail || worst == doctor.OK {
			t.Errorf("%s: the worst is %s", name, worst)
		}
	}
}

func TestSaysWhatCannotBeTold(t *testing.T) {
	o := well(t)
	o.System.Proc = t.TempDir()
	o.System.Descriptors = func() (uint64, uint64, bool) { return 0, 0, false }
	o.System.Clock = func() (bool, time.Duration, bool) { return false, 0, false }
	findings := doctor.Examine(t.Context(), o)
	for _, check := range []string{"descriptors", "backlog", "clock", "memory"} {
		if f := of(t, findings, check); f.Level != doctor.Skipped {
			t.Errorf("%+v", f)
		}
	}
}

func TestThisMachineCanBeLookedAt(t *testing.T) {
	o := well(t)
	o.System = doctor.System{}
	for _, f := range doctor.Examine(t.Context(), o) {
		if f.Found == "" || f.Level == doctor.Fail {
			t.Errorf("%+v", f)
		}
	}
}

func TestSaysWhoHasTheAddress(t *testing.T) {
	status, text := http.StatusOK, "ok"
	running := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprintln(w, text)
	}))
	defer running.Close()
	o := well(t)
	o.Config.Listen = running.Listener.Addr().String()
	for _, row := range []struct {
		status int
		text   string
		level  doctor.Level
		found  string
	}{
		{200, "ok", doctor.OK, "is ready"},
		{503, "draining", doctor.Fail, "not ready: draining"},
		{404, "", doctor.Fail, "no Wireroom"},
	} {
		status, text = row.status, row.text
		if f := of(t, doctor.Examine(t.Context(), o), "server"); f.Level != row.level || !strings.Contains(f.Found, row.found) {
			t.Errorf("%d: %+v", row.status, f)
		}
	}
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for c, err := mute.Accept(); err == nil; c, err = mute.Accept() {
			_ = c.Close()
		}
	}()
	defer mute.Close()
	o.Config.Listen = mute.Addr().String()
	if f := of(t, doctor.Examine(t.Context(), o), "server"); f.Level != doctor.Fail || !strings.Contains(f.Found, "does not answer") {
		t.Errorf("%+v", f)
	}
}

// certificate writes a certificate that holds for a time, signed by itself or by another one.
func certificate(t *testing.T, from, until time.Time, selfSigned bool) config.TLS {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "example.com"}, DNSNames: []string{"example.com"},
		NotBefore: from, NotAfter: until, IsCA: selfSigned, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	parent, signer := template, key
	if !selfSigned {
		parent = &x509.Certificate{Subject: pkix.Name{CommonName: "issuer"}}
		if signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := config.TLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	for path, block := range map[string]*pem.Block{files.CertFile: {Type: "CERTIFICATE", Bytes: der}, files.KeyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func TestLooksAtTheCertificate(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Now()
	for name, row := range map[string]struct {
		tls   config.TLS
		level doctor.Level
		found string
	}{
		"good":      {certificate(t, now.Add(-day), now.Add(60*day), true), doctor.OK, "holds until"},
		"expired":   {certificate(t, now.Add(-60*day), now.Add(-day), true), doctor.Fail, "has expired"},
		"too early": {certificate(t, now.Add(day), now.Add(60*day), true), doctor.Fail, "from"},
		"soon over": {certificate(t, now.Add(-60*day), now.Add(5*day+time.Hour), true), doctor.Warn, "in 5 days"},
		"no issuer": {certificate(t, now.Add(-day), now.Add(60*day), false), doctor.Warn, "no certificate of its issuer"},
		"absent":    {config.TLS{CertFile: "absent", KeyFile: "absent"}, doctor.Fail, "absent"},
		"by ACME":   {config.TLS{ACME: config.ACME{Domains: []string{"example.com"}}}, doctor.OK, "ACME"},
	} {
		o := well(t)
		o.Config.TLS = row.tls
		if f := of(t, doctor.Examine(t.Context(), o), "certificate"); f.Level != row.level || !strings.Contains(f.Found, row.found) {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
