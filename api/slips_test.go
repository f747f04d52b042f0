package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sipas/survey"
)

// seedSlipRound is seedOpenRound with a round that takes slips and nothing else.
func seedSlipRound(t *testing.T, data string) (token, desk string) {
	t.Helper()
	return seedRound(t, survey.DoorsSlip, "--data", data)
}

// codes reads what the command prints.
func codes(t *testing.T, out, desk string) (list []string) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) == 0 || strings.Join(rows[0], " ") != "code address" {
		t.Fatalf("%v: %s", err, out)
	}
	for _, row := range rows[1:] {
		if !strings.HasSuffix(row[1], "/s/"+desk+"#"+row[0]) {
			t.Errorf("the address of %s is %s", row[0], row[1])
		}
		list = append(list, row[0])
	}
	return list
}

// TestSlipsThroughCrashes: slips from both ways of issuing them; while people answer
// with them the service is killed again and again. Every slip lets one answer in,
// none two, and whoever was acknowledged is stored.
func TestSlipsThroughCrashes(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	token, desk := seedSlipRound(t, data)
	if code, _, stderr := sipas(t, "slips", "--round", "now", "--desk", desk, "--data", data); code != 1 || !strings.Contains(stderr, "--public-url") {
		t.Errorf("without an address: %d %s", code, stderr)
	}
	slips := codes(t, mustSipas(t, "slips", "--round", "now", "--desk", "https://x.example.vn/s/"+desk, "--count", "60", "--data", data, "--public-url", "https://x.example.vn"), desk)
	service, url := startServe(t, data)
	slips = append(slips, codes(t, mustSipas(t, "slips", "--round", "now", "--desk", strings.ToLower(desk)+".", "--count", "60", "--url", url, "--token", token), desk)...)
	if sheet := mustSipas(t, "slips", "--round", "now", "--desk", desk, "--count", "1", "--format", "html", "--url", url, "--token", token); !strings.Contains(sheet, "<svg") {
		t.Errorf("the sheet: %.200s", sheet)
	}

	var address atomic.Value
	address.Store(url)
	client := &http.Client{Timeout: 5 * time.Second}
	var done atomic.Int64
	var answering sync.WaitGroup
	for first := range 8 {
		answering.Go(func() {
			for n := first; n < len(slips); n += 8 {
				id, body, err := newAnswer(desk)
				if err != nil {
					t.Error(err)
					return
				}
				body = bytes.Replace(body, []byte(`"id":`), fmt.Appendf(nil, `"slip":%q,"id":`, slips[n]), 1)
				for {
					a := ask(client, http.MethodPost, address.Load().(string)+"/api/v1/responses", "", "application/json", string(body))
					if a.status == http.StatusCreated || a.status == http.StatusOK {
						break
					}
					if a.status != 0 && a.status != http.StatusServiceUnavailable {
						t.Errorf("answer %s: %d %s", id, a.status, a.body)
						return
					}
					time.Sleep(5 * time.Millisecond)
				}
				done.Add(1)
			}
		})
	}
	for kill := range int64(5) {
		pollUntil(t, "answers", func() bool { return done.Load() >= 20*(kill+1) })
		service.stop(syscall.SIGKILL)
		service, url = startServe(t, data)
		address.Store(url)
	}
	answering.Wait()
	for _, slip := range slips[:20] {
		_, body, err := newAnswer(desk)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.Replace(body, []byte(`"id":`), fmt.Appendf(nil, `"slip":%q,"id":`, slip), 1)
		if a := ask(client, http.MethodPost, url+"/api/v1/responses", "", "application/json", string(body)); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "slip_spent") {
			t.Errorf("a spent slip: %d %s", a.status, a.body)
		}
	}
	var r struct {
		Counts struct {
			Received      int            `json:"received"`
			ByDoor        map[string]int `json:"by_door"`
			SlipsIssued   int            `json:"slips_issued"`
			SlipsReturned int            `json:"slips_returned"`
		}
	}
	if err := json.Unmarshal([]byte(mustSipas(t, "report", "--round", "now", "--format", "json", "--url", url, "--token", token)), &r); err != nil {
		t.Fatal(err)
	}
	if c := r.Counts; c.Received != len(slips) || c.ByDoor["slip"] != len(slips) || c.SlipsIssued != len(slips)+1 || c.SlipsReturned != len(slips) {
		t.Errorf("%+v, want %d answers", c, len(slips))
	}
}
