package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// testCA signs certificates for 127.0.0.1.
type testCA struct {
	t        *testing.T
	cert     *x509.Certificate
	key      *ecdsa.PrivateKey
	rootFile string
	roots    *x509.CertPool
	// certFile and keyFile are what write wrote last.
	certFile, keyFile string
	written           int
}

func newTestCA(t *testing.T) *testCA {
	t.Helper()
	folder := t.TempDir()
	ca := &testCA{t: t, rootFile: filepath.Join(folder, "root.pem"), certFile: filepath.Join(folder, "cert.pem"), keyFile: filepath.Join(folder, "key.pem"), roots: x509.NewCertPool()}
	template := &x509.Certificate{SerialNumber: big.NewInt(1000), Subject: pkix.Name{CommonName: "a test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	var err error
	if ca.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, ca.key.Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	if ca.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	ca.roots.AddCert(ca.cert)
	ca.put(ca.rootFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return ca
}

// issue makes a certificate and its key.
func (ca *testCA) issue(serial int64) (cert, key []byte) {
	ca.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		ca.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: ca.cert.NotBefore, NotAfter: ca.cert.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, private.Public(), ca.key)
	if err != nil {
		ca.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		ca.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// put writes a file; every time is later than the one before, whatever the disk
// makes of moments that are close.
func (ca *testCA) put(file string, text []byte) {
	ca.t.Helper()
	ca.written++
	at := ca.cert.NotBefore.Add(time.Duration(ca.written) * time.Second)
	if err := errors.Join(os.WriteFile(file, text, 0o600), os.Chtimes(file, at, at)); err != nil {
		ca.t.Fatal(err)
	}
}

func (ca *testCA) write(serial int64) {
	ca.t.Helper()
	cert, key := ca.issue(serial)
	ca.put(ca.certFile, cert)
	ca.put(ca.keyFile, key)
}

// TestServeTLS: the service by itself is as safe as behind a proxy.
func TestServeTLS(t *testing.T) {
	ca := newTestCA(t)
	ca.write(1)
	t.Setenv("SSL_CERT_FILE", ca.rootFile)
	data := t.TempDir()
	token, desk := seedOpenRound(t, data)
	service := start(t, "serve", "--data", data, "--listen", "127.0.0.1:0", "--tls-cert", ca.certFile, "--tls-key", ca.keyFile)
	var entry struct{ Listen, Public string }
	if err := json.Unmarshal([]byte(service.stderr.until(func(s string) bool { return strings.Contains(s, `"serving"`) })), &entry); err != nil {
		t.Fatal(err)
	}
	if entry.Public != "https://"+entry.Listen {
		t.Errorf("the public address is %s", entry.Public)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.roots}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	a := ask(client, http.MethodGet, entry.Public+"/s/"+desk, "", "", "")
	if a.status != http.StatusOK || a.header.Get("Strict-Transport-Security") == "" {
		t.Errorf("the form: %d %v", a.status, a.header)
	}
	a = ask(client, http.MethodPost, entry.Public+"/signin", "", "application/x-www-form-urlencoded", url.Values{"token": {token}}.Encode())
	if cookie := a.header.Get("Set-Cookie"); a.status != http.StatusSeeOther || !strings.HasPrefix(cookie, "__Host-") || !strings.Contains(strings.ToLower(cookie), "; secure") {
		t.Errorf("signing in: %d, cookie %q", a.status, cookie)
	}
	if _, status, err := submit(client, entry.Public, desk); err != nil || status != http.StatusCreated {
		t.Errorf("submit: %d, %v", status, err)
	}
	if code, stdout, stderr := sipas(t, "health", "--listen", entry.Listen, "--tls-cert", ca.certFile); code != 0 || stdout != "ready\n" {
		t.Errorf("health: %d %s %s", code, stdout, stderr)
	}
	// A command works through it.
	report := start(t, "report", "--round", "now", "--format", "json", "--url", entry.Public, "--token", token)
	report.stdout.until(func(s string) bool { return strings.Contains(s, `"received": 1`) })
	if code, _, stderr := sipas(t, "report", "--data", data, "--round", "now"); code != 1 || !strings.Contains(stderr, "--url "+entry.Public) {
		t.Errorf("beside the service: %d %s", code, stderr)
	}
	// Whoever does not trust the authority, speaks an old TLS or none.
	if a := ask(http.DefaultClient, http.MethodGet, "http://"+entry.Listen+"/livez", "", "", ""); a.status != http.StatusBadRequest || !strings.Contains(a.body, "HTTP request to an HTTPS server") {
		t.Errorf("plain HTTP: %d %s", a.status, a.body)
	}
	if _, err := tls.Dial("tcp", entry.Listen, &tls.Config{RootCAs: ca.roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: %v", err)
	}
	if _, err := tls.Dial("tcp", entry.Listen, &tls.Config{RootCAs: x509.NewCertPool()}); !errors.As(err, new(*tls.CertificateVerificationError)) {
		t.Errorf("without the authority: %v", err)
	}
	// One that says nothing does not hold the others up.
	silent, err := net.Dial("tcp", entry.Listen)
	if err != nil {
		t.Fatal(err)
	}
	if a := ask(client, http.MethodGet, entry.Public+"/readyz", "", "", ""); a.status != http.StatusOK {
		t.Errorf("beside a silent connection: %d %s", a.status, a.body)
	}
	silent.Close()
	if code := service.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("the service ended with exit code %d", code)
	}
}

func TestTLSSettings(t *testing.T) {
	ca := newTestCA(t)
	ca.write(1)
	_, other := ca.issue(2)
	otherKey := filepath.Join(t.TempDir(), "other.pem")
	ca.put(otherKey, other)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no key":          {[]string{"--tls-cert", ca.certFile}, "needs both --tls-cert and --tls-key"},
		"no certificate":  {[]string{"--tls-key", ca.keyFile}, "needs both --tls-cert and --tls-key"},
		"no such file":    {[]string{"--tls-cert", ca.certFile + "x", "--tls-key", ca.keyFile}, "open " + ca.certFile + "x: no such file"},
		"another key":     {[]string{"--tls-cert", ca.certFile, "--tls-key", otherKey}, "private key does not match"},
		"public as plain": {[]string{"--tls-cert", ca.certFile, "--tls-key", ca.keyFile, "--public-url", "http://x.example.vn"}, "begins with https://"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := sipas(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--data", t.TempDir()}, test.args...)...)
			if code != 1 || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d, want 1 and %q: %s", code, test.want, stderr)
			}
		})
	}
	t.Setenv("SIPAS_TLS_CERT", ca.certFile)
	if out := mustSipas(t, "config"); !strings.Contains(out, ca.certFile) || !strings.Contains(out, "SIPAS_TLS_KEY") {
		t.Errorf("config:\n%s", out)
	}
}

// TestCertificateRenewal: a renewed certificate is taken within ten seconds, a broken one
// never, and said once.
func TestCertificateRenewal(t *testing.T) {
	ca := newTestCA(t)
	ca.write(1)
	var log bytes.Buffer
	clock := time.Now()
	cert, err := openCertificate(ca.certFile, ca.keyFile, slog.New(slog.NewTextHandler(&log, nil)), func() time.Time { return clock })
	if err != nil {
		t.Fatal(err)
	}
	expect := func(what string, later time.Duration, serial int64, warnings int) {
		t.Helper()
		clock = clock.Add(later)
		pair, err := cert.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := pair.Leaf.SerialNumber.Int64(); got != serial {
			t.Errorf("%s: certificate %d, want %d", what, got, serial)
		}
		if got := strings.Count(log.String(), "level=WARN"); got != warnings {
			t.Errorf("%s: %d warnings, want %d:\n%s", what, got, warnings, log.String())
		}
	}
	expect("at first", 0, 1, 0)
	ca.write(2)
	expect("at once", 9*time.Second, 1, 0)
	expect("ten seconds after it was looked", time.Second, 2, 0)
	// Between the writing of one file and the other they are no pair.
	newer, key := ca.issue(3)
	ca.put(ca.certFile, newer)
	expect("half renewed", certificateEvery, 2, 1)
	expect("half renewed still", certificateEvery, 2, 1)
	ca.put(ca.keyFile, key)
	expect("renewed", certificateEvery, 3, 1)
	if err := os.Remove(ca.certFile); err != nil {
		t.Fatal(err)
	}
	expect("removed", certificateEvery, 3, 2)
	ca.put(ca.certFile, []byte("no certificate"))
	expect("broken", certificateEvery, 3, 3)
	ca.write(4)
	expect("mended", certificateEvery, 4, 3)
	if n := strings.Count(log.String(), "took the renewed"); n != 3 {
		t.Errorf("the log tells of %d renewals:\n%s", n, log.String())
	}
}
