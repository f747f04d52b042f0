package web

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sipas/api/store"
	"sipas/stats"
)

// Who has the right to published figures sees those, and nothing that is live.
func TestPicture(t *testing.T) {
	waits(t)
	e := demonstration(t, 3000)
	token := e.tokens[store.RightReport]
	var p stats.Picture
	a := e.do(call{path: "/api/v1/rounds/demo/picture", token: token})
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.status != http.StatusOK {
		t.Fatal(a.status, err)
	}
	if strings.Contains(a.body, "satisfied") || strings.Contains(a.body, "known") || strings.Contains(a.body, "latest") {
		t.Error("the answer has what the next picture must know")
	}
	hidden := ""
	for _, c := range p.Cells {
		if c.By == "unit" && c.Hidden != "" {
			hidden = c.Label.In("vi")
		}
	}
	if hidden == "" {
		t.Fatal("no unit is hidden")
	}
	var narrowed stats.Picture
	if err := json.Unmarshal([]byte(e.do(call{path: "/api/v1/rounds/demo/picture?unit=51-21040", token: token}).body), &narrowed); err != nil {
		t.Fatal(err)
	}
	if n := len(narrowed.Cells); n < 3 || n > 20 || narrowed.Cells[1].ID != "51-21040" || narrowed.Cells[2].By != "desk" {
		t.Errorf("%d groups of a unit: %+v", n, narrowed.Cells)
	}
	cookie := e.signedIn(token)
	list := e.do(call{path: "/reports", cookie: cookie}).body
	if !strings.Contains(list, `href="/pictures/demo`) || strings.Contains(list, `href="/reports/demo`) {
		t.Error("the list leads to live reports, or not to published figures")
	}
	full := e.do(call{path: "/reports", cookie: e.signedIn(e.tokens[store.RightFull])}).body
	if !strings.Contains(full, `href="/pictures/demo`) || !strings.Contains(full, `href="/reports/demo`) {
		t.Error("who may see everything is not led to it")
	}
	page := e.do(call{path: "/pictures/demo", cookie: cookie})
	if page.status != http.StatusOK || !strings.Contains(page.body, "Ẩn: quá ít phiếu") || strings.Contains(page.body, `href="/reports/demo`) {
		t.Errorf("status %d", page.status)
	}
	at := strings.Index(page.body, ">"+hidden+"<")
	if at < 0 {
		t.Fatalf("%s is not on the page", hidden)
	}
	if row, _, _ := strings.Cut(page.body[at:], "</tr>"); !strings.Contains(row, "Ẩn") || strings.Contains(row, "%") || strings.Contains(row, "<svg") {
		t.Errorf("the row of a hidden unit: %s", row)
	}
	file := e.do(call{path: "/pictures/demo/csv?unit=51-21040", cookie: cookie})
	if lines, err := csv.NewReader(strings.NewReader(file.body)).ReadAll(); err != nil || len(lines) < 40 {
		t.Errorf("%d lines, %v", len(lines), err)
	}
	if got := file.header.Get("Content-Disposition"); !strings.Contains(got, "sipas-demo-") || !strings.HasPrefix(file.header.Get("Content-Type"), "text/csv") {
		t.Errorf("sent as %q", got)
	}
	for _, path := range []string{"/pictures/demo?field=dat-dai", "/pictures/demo?unit=nowhere", "/pictures/demo/csv?by=unit"} {
		if a := e.do(call{path: path, cookie: cookie}); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", path, a.status)
		}
	}
	if a := e.do(call{path: "/pictures/none", cookie: cookie}); a.status != http.StatusNotFound {
		t.Errorf("an unknown round: status %d", a.status)
	}
}

func TestBrowserPicture(t *testing.T) {
	waits(t)
	chromium(t)
	e := demonstration(t, 3000)
	for _, c := range []struct {
		name          string
		width, height int64
		settings      []chromedp.Action[chromedp.Void]
	}{
		{"desktop", 1280, 900, nil},
		{"phone-dark", 360, 800, []chromedp.Action[chromedp.Void]{dark()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := *e
			e.t = t
			w := browse(t, &e, append(c.settings, chromedp.EmulateViewport(c.width, c.height))...)
			link, err := url.Parse(e.server.SignInURL(e.tokens[store.RightReport], "/pictures/demo?lang=vi", time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			w.do(chromedp.Navigate(e.url + link.RequestURI()))
			w.noSideways(float64(c.width))
			if got := w.text(".big .value"); !strings.HasSuffix(got, "%") || !strings.Contains(got, ",") {
				t.Errorf("the index reads %q", got)
			}
			w.photograph(c.name + "-picture")
			w.submit(`.picture tbody a`)
			w.noSideways(float64(c.width))
			w.photograph(c.name + "-picture-unit")
			w.quiet()
		})
	}
}
