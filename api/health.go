package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// healthCommand is the health check of a container: the image needs no curl.
type healthCommand struct {
	Listen  string        `default:"127.0.0.1:8080" env:"SIPAS_LISTEN" help:"Address the service listens on."`
	TLSCert string        `name:"tls-cert" env:"SIPAS_TLS_CERT" help:"Set where the service speaks TLS itself."`
	Timeout time.Duration `default:"5s" help:"How long to wait."`
}

func (c *healthCommand) Run(t *terminal) error {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("listen address: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(t.ctx, c.Timeout)
	defer cancel()
	scheme, client := "http://", http.DefaultClient
	if c.TLSCert != "" {
		// It asks this machine by its address, which no certificate names, and says nothing.
		scheme, client = "https://", &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("not reachable: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready (%s): %s", resp.Status, strings.TrimSpace(string(body)))
	}
	_, err = fmt.Fprintln(t.stdout, "ready")
	return err
}
