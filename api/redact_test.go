package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// A secret in an address is in nothing that a command prints, however the address is
// misspelt, wherever it was given, and whoever complains of it.
func TestNoCommandPrintsASecret(t *testing.T) {
	addresses := []string{
		"mongodb://sipas:s3cr3tpart@127.0.0.1:1/sipas", "mongodb://sipas:s3cr3tpart%40127.0.0.1:1/sipas", "mongodb://sipas:s3cr3tpart/sipas", "mongodb://sipas:s3cr3tpart",
		"mongodb://127.0.0.1:1/sipas?password=s3cr3tpart", "mongodb://127.0.0.1:1/sipas?pwd=s3cr3tpart",
		"mongodb://127.0.0.1:1/sipas?authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN:s3cr3tpart", "mongodb://127.0.0.1:1/?authMechanismProperties=s3cr3tpart",
		"mongodb://127.0.0.1:1/?tls=true&tlsCertificateKeyFile=/none&tlsCertificateKeyFilePassword=s3cr3tpart", "mongodb://127.0.0.1:1/?proxyHost=h&proxyUsername=u&proxyPassword=s3cr3tpart",
		"mongodb://127.0.0.1:1/?w=s3cr3tpart:x", "mongodb://u:%zzs3cr3tpart@h/sipas", "mongodb://u:a:s3cr3tpart@h/sipas", "mongodb://h:s3cr3tpart/sipas", "mongodb://u:p@h/si.pas?password=s3cr3tpart",
		"mongodb//sipas:s3cr3tpart@h/sipas", "mongodb:sipas:s3cr3tpart@h/sipas", "mongodb:/sipas:s3cr3tpart@h", "mongo://sipas:s3cr3tpart@h/sipas", "sipas:s3cr3tpart@h/sipas", "sipas:s3cr3tpart%40h",
		` "mongodb://sipas:s3cr3tpart@h/sipas"`, "https://s3cr3tpart@h/", "https://u:s3cr3tpart@h/", "http://u:s3cr3tpart x@h/", "http://h:s3cr3tpart/", "https://h/?password=s3cr3tpart", "http://h/#s3cr3tpart",
	}
	said := func(args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		var out, errs bytes.Buffer
		run(ctx, args, &out, &errs)
		return out.String() + errs.String()
	}
	data := t.TempDir()
	secret := strings.Repeat("ab", 32)
	rarely := map[string]bool{"serve": true, "copy to": true, "token": true, "unknown flag": true, "proxies": true, "folder": true, "a folder's secret": true}
	for i, address := range addresses {
		for name, args := range map[string][]string{
			"config":            {"config", "--mongodb-uri", address, "--url", address, "--public-url", address, "--secret", secret, "--token", "s3cr3tpart"},
			"mongodb-uri":       {"token", "list", "--data", data, "--mongodb-uri", address, "--secret", secret},
			"serve":             {"serve", "--data", data, "--listen", "127.0.0.1:0", "--mongodb-uri", address, "--secret", secret},
			"copy from":         {"copy", "--from", address, "--to", t.TempDir(), "--secret", secret},
			"copy to":           {"copy", "--from", data, "--to", address, "--secret", secret},
			"url":               {"report", "--round", "x", "--url", address, "--token", "s3cr3tpart"},
			"token":             {"report", "--round", "x", "--url", "http://127.0.0.1:1", "--token", "s3cr3tpart\n"},
			"public-url":        {"serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--public-url", address},
			"argument":          {"report", address},
			"unknown flag":      {"report", "--mongodb-url=" + address},
			"proxies":           {"serve", "--trusted-proxies", address},
			"folder":            {"report", "--round", "x", "--data", address},
			"a folder's secret": {"report", "--round", "x", "--data", data, "--secret", "s3cr3tpart"},
		} {
			if rarely[name] && i%6 != 0 { // each run of a command takes some milliseconds
				continue
			}
			if text := said(args...); strings.Contains(text, "s3cr3t") || name != "serve" && name != "public-url" && text == "" {
				t.Errorf("%s, %s:\n%s", name, address, text)
			}
		}
	}
	for _, variable := range []string{"SIPAS_MONGODB_URI", "SIPAS_PUBLIC_URL", "SIPAS_URL", "SIPAS_TOKEN", "SIPAS_SECRET", "SIPAS_COPY_FROM", "SIPAS_COPY_TO"} {
		t.Setenv(variable, "mongodb://sipas:s3cr3tpart@h?password=s3cr3tpart")
	}
	for _, command := range [][]string{{"--help"}, {"serve", "--help"}, {"config", "--help"}, {"copy", "--help"}, {"report", "--help"}, {"config"}, {"copy"}, {"report"}} {
		if text := said(command...); strings.Contains(text, "s3cr3t") {
			t.Errorf("%v:\n%s", command, text)
		}
	}
}

// What others write into the log is redacted too, in every shape that a log takes.
func TestLogsHideSecrets(t *testing.T) {
	var out bytes.Buffer
	for _, log := range []*slog.Logger{newLogger(&out), quietLogger(&out)} {
		out.Reset()
		err := errors.New("dial mongodb://u:s3cr3t@h/sipas?password=s3cr3t: refused")
		log.Warn("mongodb://u:s3cr3t@h", "error", err, "uri", "mongodb://u:s3cr3t@h/", slog.Group("of", "proxyPassword", "proxyPassword=s3cr3t"), "n", 3, "took", time.Second)
		log.With("error", err).WithGroup("g").Error("x", "e", err)
		if text := out.String(); strings.Contains(text, "s3cr3t") || strings.Count(text, "u:xxxxx@h") < 4 || !strings.Contains(text, "WARN") {
			t.Errorf("the log is\n%s", text)
		}
	}
}

// TestExamplesInMessagesAreShown: what a message gives as an example of an address is not
// taken for one that must be hidden.
func TestExamplesInMessagesAreShown(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"device", "list"},
		{"slips", "--round", "r", "--desk", "d", "--data", t.TempDir()},
	} {
		code, _, stderr := sipas(t, args...)
		if code == 0 || !strings.Contains(stderr, "https://khaosat.example.gov.vn ") {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
}
