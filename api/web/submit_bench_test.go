package web

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"sipas/api/store"
	"sipas/api/store/mongotest"
	"sipas/seeds"
	"sipas/survey"
)

// BenchmarkSubmit64 measures submissions of 22 answers over HTTP with a durable
// acknowledgement, on 64 connections and a store that already holds a million
// answers (SIPAS_BENCH_STORED to change that), against a bare Fiber handler that
// only decodes the same JSON: five alternating pairs, the median of their ratios.
func BenchmarkSubmit64(b *testing.B) {
	const pairs, connections = 5, 64
	const turn = 3 * time.Second
	folder := b.TempDir()
	st, desk := storeForBenchmark(b, folder)
	defer st.Close()
	bodies := &bodyMaker{template: benchmarkBody(b, desk)}

	service := New(Config{PublicURL: "http://127.0.0.1"}, st, nil)
	bare := fiber.New(fiber.Config{Immutable: true, DisableStartupMessage: true})
	bare.Post("/api/v1/responses", func(c *fiber.Ctx) error {
		var s survey.Submission
		if err := json.Unmarshal(c.Body(), &s); err != nil {
			return err
		}
		return c.SendStatus(fiber.StatusCreated)
	})
	serviceAddress, bareAddress := listenForBenchmark(b, service.Serve), listenForBenchmark(b, bare.Listener)
	defer service.Shutdown(context.Background())
	defer bare.Shutdown()

	for b.Loop() {
		var ratios, rates, bareRates []float64
		var slowest []time.Duration
		for range pairs {
			n, _ := load(b, bareAddress, connections, turn, bodies)
			m, latencies := load(b, serviceAddress, connections, turn, bodies)
			ratios, rates, bareRates = append(ratios, float64(m)/float64(n)), append(rates, float64(m)/turn.Seconds()), append(bareRates, float64(n)/turn.Seconds())
			slowest = append(slowest, latencies[len(latencies)*99/100])
		}
		slices.Sort(ratios)
		slices.Sort(rates)
		slices.Sort(bareRates)
		slices.Sort(slowest)
		b.ReportMetric(ratios[pairs/2], "of-bare")
		b.ReportMetric(rates[pairs/2], "stored/s")
		b.ReportMetric(bareRates[pairs/2], "bare/s")
		b.ReportMetric(float64(slowest[pairs/2].Microseconds())/1000, "p99-ms")
		b.ReportMetric(float64(syncTime(b, folder).Microseconds())/1000, "disk-sync-ms")
		b.ReportMetric(0, "ns/op")
	}
}

// storeForBenchmark is a file store with simulated answers, and one of its desks.
func storeForBenchmark(b *testing.B, folder string) (*store.Store, string) {
	engine, err := store.OpenFile(folder, store.FileOptions{Command: "benchmark"})
	if err != nil {
		b.Fatal(err)
	}
	st, err := store.Open(context.Background(), engine, store.Secret{1}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	fillForBenchmark(b, st, survey.DateOf(time.Now()))
	desk := ""
	for id := range st.View().Desks {
		desk = max(desk, id)
	}
	return st, desk
}

// BenchmarkForm64 measures what a citizen waits for, on 64 connections that do
// nothing else: the form's page, compressed, and the thanks after 22 answers are
// durable, in a store that holds a million (SIPAS_BENCH_STORED to change that).
func BenchmarkForm64(b *testing.B) {
	const connections, turn = 64, 5 * time.Second
	st, desk := storeForBenchmark(b, b.TempDir())
	defer st.Close()
	service := New(Config{PublicURL: "http://127.0.0.1"}, st, nil)
	address := "http://" + listenForBenchmark(b, service.Serve) + "/s/" + desk
	defer service.Shutdown(context.Background())
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true}}
	for b.Loop() {
		var mu sync.Mutex
		var shown, sent []time.Duration
		var visiting sync.WaitGroup
		end := time.Now().Add(turn)
		for range connections {
			visiting.Go(func() {
				for time.Now().Before(end) {
					show, send, err := visit(client, address)
					if err != nil {
						b.Error(err)
						return
					}
					mu.Lock()
					shown, sent = append(shown, show), append(sent, send)
					mu.Unlock()
				}
			})
		}
		visiting.Wait()
		slices.Sort(shown)
		slices.Sort(sent)
		b.ReportMetric(float64(len(sent))/turn.Seconds(), "visits/s")
		b.ReportMetric(float64(shown[len(shown)*99/100].Microseconds())/1000, "page-p99-ms")
		b.ReportMetric(float64(sent[len(sent)*99/100].Microseconds())/1000, "send-p99-ms")
		b.ReportMetric(0, "ns/op")
	}
}

// visit opens a form, answers everything and sends it.
func visit(client *http.Client, address string) (show, send time.Duration, err error) {
	began := time.Now()
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return 0, 0, err
	}
	request.Header.Set("Accept-Encoding", "gzip")
	r, err := client.Do(request)
	if err != nil {
		return 0, 0, err
	}
	page, err := io.ReadAll(r.Body)
	r.Body.Close()
	show = time.Since(began)
	if err != nil || r.StatusCode != http.StatusOK {
		return 0, 0, fmt.Errorf("form: %d, %w", r.StatusCode, err)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(page))
	if err != nil {
		return 0, 0, err
	}
	text, err := io.ReadAll(unzipped)
	if err != nil {
		return 0, 0, err
	}
	form := url.Values{}
	for _, m := range hiddenFields.FindAllStringSubmatch(string(text), -1) {
		form.Set(m[1], m[2])
	}
	for _, m := range itemFields.FindAllStringSubmatch(string(text), -1) {
		form.Set(m[1], "4")
	}
	began = time.Now()
	if r, err = client.PostForm(address, form); err != nil {
		return 0, 0, err
	}
	_, err = io.Copy(io.Discard, r.Body)
	r.Body.Close()
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("sent: %d", r.StatusCode)
	}
	return show, time.Since(began), err
}

var (
	hiddenFields = regexp.MustCompile(`type="hidden" name="([^"]+)" value="([^"]*)"`)
	itemFields   = regexp.MustCompile(`name="(a\.[^"]+)" value="4"`)
)

// fillForBenchmark stores simulated answers of the past months.
func fillForBenchmark(b *testing.B, st *store.Store, today survey.Date) {
	stored := 1_000_000
	if s := os.Getenv("SIPAS_BENCH_STORED"); s != "" {
		if _, err := fmt.Sscan(s, &stored); err != nil {
			b.Fatal(err)
		}
	}
	documents, err := seeds.Synthetic(200, 3, today)
	if err != nil {
		b.Fatal(err)
	}
	params := seeds.DefaultParams()
	params.Answers, params.Days = stored, 90
	simulation, err := seeds.Simulate(documents, seeds.SyntheticRound, params)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := st.PutDocuments(context.Background(), documents); err != nil {
		b.Fatal(err)
	}
	var batch []survey.Response
	flush := func() {
		if _, err := st.AddResponses(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
		batch = batch[:0]
	}
	for visit := range simulation.Visits(today.AddDays(-1)) {
		if batch = append(batch, visit.Response()); len(batch) == 5000 {
			flush()
		}
	}
	flush()
}

// benchmarkBody is a submission of 22 answers whose id is put in later.
func benchmarkBody(b *testing.B, desk string) []byte {
	s := survey.Submission{ID: "00000000-0000-0000-0000-000000000000", Round: seeds.SyntheticRound, Desk: desk, Instrument: seeds.Sipas2640, Version: 1, Answers: map[string]survey.Answer{}}
	for i := range 22 {
		s.Answers[fmt.Sprintf("c%02d", i+1)] = survey.Answer('1' + byte(i*7%5))
	}
	body, err := json.Marshal(s)
	if err != nil {
		b.Fatal(err)
	}
	return body
}

// bodyMaker writes requests that differ in their id.
type bodyMaker struct{ template []byte }

func (m *bodyMaker) request(into []byte) ([]byte, error) {
	id, err := survey.NewID(time.Now(), rand.Reader)
	if err != nil {
		return nil, err
	}
	into = fmt.Appendf(into[:0], "POST /api/v1/responses HTTP/1.1\r\nHost: b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(m.template))
	at := len(into) + bytes.Index(m.template, []byte("00000000-"))
	into = append(into, m.template...)
	copy(into[at:], id.String())
	return into, nil
}

// load has a process of its own send requests on so many connections, each the
// next when the last is answered. It returns how many were answered 201 and how
// long they took, sorted.
func load(b *testing.B, address string, connections int, turn time.Duration, bodies *bodyMaker) (int, []time.Duration) {
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	order, err := json.Marshal(loadOrder{Address: address, Connections: connections, Turn: turn, Template: bodies.template})
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), asLoad+"="+string(order))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("load: %v", err)
	}
	var latencies []time.Duration
	if err := json.Unmarshal(out, &latencies); err != nil {
		b.Fatalf("load: %v", err)
	}
	slices.Sort(latencies)
	return len(latencies), latencies
}

// asLoad makes the test binary a load generator, see [loadOrder].
const asLoad = "SIPAS_TEST_RUN_LOAD"

// loadOrder is what the load generator is told.
type loadOrder struct {
	Address     string
	Connections int
	Turn        time.Duration
	Template    []byte
}

// runLoad carries out an order and writes the time of every answer to out.
func runLoad(text string, out io.Writer) error {
	var order loadOrder
	if err := json.Unmarshal([]byte(text), &order); err != nil {
		return err
	}
	bodies := &bodyMaker{template: order.Template}
	var mu sync.Mutex
	var all []time.Duration
	var failures []error
	var wg sync.WaitGroup
	until := time.Now().Add(order.Turn)
	for range order.Connections {
		wg.Go(func() {
			latencies, err := loadConnection(order.Address, until, bodies)
			mu.Lock()
			defer mu.Unlock()
			all, failures = append(all, latencies...), append(failures, err)
		})
	}
	wg.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(all)
}

func loadConnection(address string, until time.Time, bodies *bodyMaker) (latencies []time.Duration, err error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	var request []byte
	for time.Now().Before(until) {
		if request, err = bodies.request(request); err != nil {
			return nil, err
		}
		started := time.Now()
		if _, err := conn.Write(request); err != nil {
			return nil, err
		}
		status, err := readAnswer(answers)
		if err != nil {
			return nil, err
		}
		if status != http.StatusCreated {
			return nil, fmt.Errorf("answered %d", status)
		}
		latencies = append(latencies, time.Since(started))
	}
	return latencies, nil
}

// readAnswer reads one answer with as little work as possible, since the load
// runs on the same cores.
func readAnswer(r *bufio.Reader) (status int, err error) {
	length := 0
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		switch {
		case first:
			if _, err := fmt.Sscanf(string(line[9:12]), "%d", &status); err != nil {
				return 0, err
			}
		case len(line) == 2:
			_, err := io.CopyN(io.Discard, r, int64(length))
			return status, err
		case bytes.HasPrefix(line, []byte("Content-Length: ")):
			for _, c := range line[16:] {
				if c >= '0' && c <= '9' {
					length = length*10 + int(c-'0')
				}
			}
		}
	}
}

func listenForBenchmark(b *testing.B, serve func(net.Listener) error) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go serve(ln)
	return ln.Addr().String()
}

// syncTime is how long the disk takes to make 4 KB durable, the median of 50.
func syncTime(b *testing.B, folder string) time.Duration {
	f, err := os.Create(filepath.Join(folder, "sync"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var times []time.Duration
	for range 50 {
		started := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(started))
	}
	slices.Sort(times)
	return times[len(times)/2]
}

// TestMain lets tests start this binary as their load generator, or as a server.
func TestMain(m *testing.M) {
	if order := os.Getenv(asHall); order != "" {
		if err := runHall(order); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if order := os.Getenv(asLoad); order != "" {
		if err := runLoad(order, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if err := sideBySide(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	theBrowser.close()
	if err := mongotest.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}
