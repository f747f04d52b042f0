package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sipas/seeds"
	"sipas/survey"
)

// seedOpenRound loads the province with a round that is open today, and a
// token; it returns the token and a desk.
func seedOpenRound(t *testing.T, data string) (token, desk string) {
	t.Helper()
	return seedOpenRoundAt(t, "--data", data)
}

// seedOpenRoundAt is seedOpenRound for a store that flags name.
func seedOpenRoundAt(t *testing.T, at ...string) (token, desk string) {
	t.Helper()
	return seedRound(t, survey.DoorsOpen, at...)
}

// seedRound is seedOpenRoundAt with other doors.
func seedRound(t *testing.T, doors string, at ...string) (token, desk string) {
	t.Helper()
	d, err := seeds.Province()
	if err != nil {
		t.Fatal(err)
	}
	today := survey.DateOf(time.Now())
	d.Rounds = []survey.Round{{ID: "now", Title: survey.Text{"vi": "Đợt này", "en": "Now"}, Instrument: seeds.Sipas2640, Version: 1,
		Design: survey.DesignVisitors, Form: "full", Doors: doors, Status: survey.StatusOpen, First: today.AddDays(-30), Last: today.AddDays(30), Target: 80}}
	desk = d.Desks[0].ID
	raw, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "documents.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	mustSipas(t, append([]string{"seed", "--file", file}, at...)...)
	token = strings.TrimSpace(mustSipas(t, append([]string{"token", "create", "--name", "test", "--rights", "full,staff,import,export"}, at...)...))
	return token, desk
}

// newAnswer makes an answer as the API takes it.
func newAnswer(desk string) (id string, body []byte, err error) {
	minted, err := survey.NewID(time.Now(), rand.Reader)
	if err != nil {
		return "", nil, err
	}
	hash, err := survey.ReceiptHash(answerCode(minted.String()))
	if err != nil {
		return "", nil, err
	}
	s := survey.Submission{ID: minted.String(), Round: "now", Desk: desk, Instrument: seeds.Sipas2640, Version: 1, Answers: map[string]survey.Answer{},
		ReceiptSHA256: hex.EncodeToString(hash)}
	for i := range 22 {
		s.Answers[fmt.Sprintf("c%02d", i+1)] = '4'
	}
	body, err = json.Marshal(s)
	return s.ID, body, err
}

// answerCode withdraws an answer that newAnswer made.
func answerCode(id string) string { return survey.Receipt([]byte(id), survey.ID{}, nil) }

// submit hands in an answer and returns its id and the HTTP status; 0 when the
// service did not answer.
func submit(client *http.Client, url, desk string) (id string, status int, err error) {
	id, body, err := newAnswer(desk)
	if err != nil {
		return "", 0, err
	}
	resp, err := client.Post(url+"/api/v1/responses", "application/json", bytes.NewReader(body))
	if err != nil {
		return id, 0, nil
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return id, 0, nil
	}
	return id, resp.StatusCode, nil
}

// While the service holds the file, commands work through it or say who holds
// it, at once.
func TestCommandsBesideTheService(t *testing.T) {
	waits(t)
	data := t.TempDir()
	token, desk := seedOpenRound(t, data)
	service, url := startServe(t, data)
	if _, status, err := submit(http.DefaultClient, url, desk); err != nil || status != http.StatusCreated {
		t.Fatalf("submit: %d, %v", status, err)
	}
	started := time.Now()
	code, _, stderr := sipas(t, "report", "--data", data, "--round", "now")
	if code != 1 || !strings.Contains(stderr, fmt.Sprintf("process %d (serve)", service.cmd.Process.Pid)) || !strings.Contains(stderr, url) {
		t.Errorf("a second opener was told %d: %s", code, stderr)
	}
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("it took %v to say so", took)
	}
	through := []string{"--url", url, "--token", token}
	local := mustSipas(t, append([]string{"report", "--round", "now", "--format", "json"}, through...)...)
	if !strings.Contains(local, `"received": 1`) {
		t.Errorf("the report through the service:\n%s", local)
	}
	if out := mustSipas(t, append([]string{"compare", "--round", "now", "--by", "door", "--a", "open", "--b", "staff", "--format", "json"}, through...)...); !strings.Contains(out, `"conclusion": "too_few"`) {
		t.Errorf("the comparison through the service:\n%s", out)
	}
	exported := mustSipas(t, append([]string{"export", "--round", "now"}, through...)...)
	if lines := strings.Count(exported, "\n"); lines != 2 {
		t.Errorf("the export has %d lines, want header and one answer", lines)
	}
	if out := mustSipas(t, append([]string{"seed", "--set", "province"}, through...)...); !strings.Contains(out, "added 0, changed 0") {
		t.Errorf("seed through the service: %s", out)
	}
	// Paper forms go in through the service too, twice without harm.
	file := filepath.Join(t.TempDir(), "paper.csv")
	header, row := "desk,date", desk+","+string(survey.DateOf(time.Now()).AddDays(-1))
	for i := range 22 {
		header, row = header+fmt.Sprintf(",c%02d", i+1), row+",5"
	}
	mapping := filepath.Join(t.TempDir(), "map.json")
	if err := os.WriteFile(file, []byte(header+"\n"+row+"\n"+row+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mapping, []byte(`{"source":"paper","columns":{"desk":"desk","answered":"date"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"stored 2, duplicate 0", "stored 0, duplicate 2"} {
		if out := mustSipas(t, append([]string{"import", "--round", "now", "--map", mapping, file}, through...)...); !strings.Contains(out, want) {
			t.Errorf("import through the service said %s, want %s", out, want)
		}
	}
	if out := mustSipas(t, append([]string{"desks", "--public-url", "https://khaosat.example.vn"}, through...)...); !strings.Contains(out, "https://khaosat.example.vn/qr/"+desk) || strings.Count(out, "\n") < 100 {
		t.Errorf("the list of desks:\n%s", out)
	}
	if out := mustSipas(t, "health", "--listen", strings.TrimPrefix(url, "http://")); !strings.Contains(out, "ready") {
		t.Errorf("health said %q", out)
	}
	if code := service.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("the service ended with exit code %d", code)
	}
	after := mustSipas(t, "report", "--data", data, "--round", "now", "--format", "json")
	if !strings.Contains(after, `"received": 3`) {
		t.Error("the answers are not in the store after the service has stopped")
	}
}

// TestCommandsBelowAPath: commands find a service that lies below a path, through a proxy or
// at its own address.
func TestCommandsBelowAPath(t *testing.T) {
	waits(t)
	const public = "https://portal.example.gov.vn/khaosat"
	data := t.TempDir()
	token, desk := seedOpenRound(t, data)
	service := start(t, "serve", "--data", data, "--listen", "127.0.0.1:0", "--public-url", public+"/")
	var entry struct{ Listen, Public string }
	if err := json.Unmarshal([]byte(service.stderr.until(func(s string) bool { return strings.Contains(s, `"serving"`) })), &entry); err != nil {
		t.Fatal(err)
	}
	if entry.Public != public {
		t.Errorf("it says that it serves %s", entry.Public)
	}
	for i, path := range []string{"", "/khaosat", "/khaosat/"} {
		url := "http://" + entry.Listen + path
		if _, status, err := submit(http.DefaultClient, strings.TrimSuffix(url, "/"), desk); err != nil || status != http.StatusCreated {
			t.Errorf("%s: submit: %d, %v", url, status, err)
		}
		through := []string{"--url", url, "--token", token}
		if out := mustSipas(t, append([]string{"report", "--round", "now", "--format", "json"}, through...)...); !strings.Contains(out, fmt.Sprintf(`"received": %d`, i+1)) {
			t.Errorf("%s: the report:\n%s", url, out)
		}
		if out := mustSipas(t, append([]string{"desks"}, through...)...); !strings.Contains(out, " "+strings.TrimSuffix(url, "/")+"/qr/"+desk+"\n") {
			t.Errorf("%s: the list of desks:\n%.300s", url, out)
		}
		if out := mustSipas(t, append([]string{"desks", "--public-url", public + "/"}, through...)...); !strings.Contains(out, " "+public+"/qr/"+desk+"\n") {
			t.Errorf("%s: the list of desks with the public address:\n%.300s", url, out)
		}
	}
	if code := service.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("the service ended with exit code %d", code)
	}
}

// A service killed in the middle of submissions has every answer that it
// acknowledged, once.
func TestKilledServiceKeepsAcknowledgedAnswers(t *testing.T) {
	waits(t)
	data := t.TempDir()
	token, desk := seedOpenRound(t, data)
	acknowledged := map[string]bool{}
	for range 3 {
		service, url := startServe(t, data)
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: 10 * time.Second}
		var mu sync.Mutex
		var wg sync.WaitGroup
		enough := make(chan struct{})
		var once sync.Once
		n := 0
		for range 16 {
			wg.Go(func() {
				for {
					id, status, err := submit(client, url, desk)
					if err != nil || status != http.StatusCreated {
						return // killed
					}
					mu.Lock()
					acknowledged[id] = true
					if n++; n == 300 {
						once.Do(func() { close(enough) })
					}
					mu.Unlock()
				}
			})
		}
		<-enough
		service.stop(syscall.SIGKILL)
		wg.Wait()
	}
	service, url := startServe(t, data)
	exported := mustSipas(t, "export", "--round", "now", "--url", url, "--token", token)
	seen := map[string]int{}
	for line := range strings.Lines(exported) {
		id, _, _ := strings.Cut(line, ",")
		seen[id]++
	}
	for id := range acknowledged {
		if seen[id] != 1 {
			t.Errorf("acknowledged answer %s is stored %d times", id, seen[id])
		}
	}
	if len(acknowledged) < 900 {
		t.Errorf("only %d answers were acknowledged before the kills", len(acknowledged))
	}
	service.stop(syscall.SIGTERM)
}

func TestDemo(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	started := time.Now()
	demo := start(t, "demo", "--listen", "127.0.0.1:0")
	address := map[string]string{}
	for _, name := range []string{"form", "qr", "report", "tablet", "fleet", "token"} {
		line := demo.stdout.until(func(s string) bool { return strings.HasPrefix(s, name+" ") })
		address[name] = strings.Fields(line)[1]
	}
	t.Logf("ready after %v", time.Since(started))
	get := func(url string, status int, contains string) string {
		t.Helper()
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Jar: jar}).Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != status || !strings.Contains(string(body), contains) {
			t.Errorf("GET %s: %s, %d bytes, want %d and %q", url, resp.Status, len(body), status, contains)
		}
		return string(body)
	}
	get(address["form"], http.StatusOK, "<form")
	get(address["qr"], http.StatusOK, "PNG")
	page := get(address["report"], http.StatusOK, "84,")
	if strings.Contains(page, address["token"]) || strings.Contains(address["report"], address["token"]) {
		t.Error("the token itself is in the page or its address")
	}
	if page := get(address["fleet"], http.StatusOK, "Demo"); strings.Contains(page, `class="line note low"`) {
		t.Error("the tablet has no round of its own")
	}
	app, code, _ := strings.Cut(address["tablet"], "#")
	get(app, http.StatusOK, "main.js")
	base, _, _ := strings.Cut(address["form"], "/s/")
	if pairTablet(t, base, code).seal == nil {
		t.Error("a tablet that was paired gets no survey")
	}
	out := mustSipas(t, "report", "--url", base, "--token", address["token"], "--round", seeds.DemoRound, "--by", "unit", "--format", "csv")
	if n := strings.Count(out, "\n"); n < 100*60 {
		t.Errorf("the CSV by unit has %d lines", n)
	}
	if code := demo.stop(syscall.SIGINT); code != 0 {
		t.Errorf("Ctrl-C ended the demonstration with exit code %d", code)
	}
	left, err := os.ReadDir(temporary)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("the demonstration left %s behind", left[0].Name())
	}
}
