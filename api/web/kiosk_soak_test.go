package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sipas/api/store"
	"sipas/kiosk"
	"sipas/survey"
)

// soakOrder is what soak.js does.
type soakOrder struct {
	URL    string `json:"url"`    // through the bad network
	Direct string `json:"direct"` // past it
	Token  string `json:"token"`  // of staff
	// Now is the service's time in Unix milliseconds, Answers how many each tablet
	// thanks for, Losing how many of them lose an answer for a while.
	Now     int64        `json:"now"`
	Answers int          `json:"answers"`
	Losing  int          `json:"losing"`
	Seed    int          `json:"seed"`
	Tablets []soakTablet `json:"tablets"`
}

type soakTablet struct {
	ID    string `json:"id"`
	Key   []byte `json:"key"`
	Clock string `json:"clock"`
}

// soakLine is a line that soak.js writes.
type soakLine struct {
	Tablet *struct {
		ID       string
		Thanked  int
		Highest  int64
		Stored   int
		Crashes  int
		Contacts map[string]int
	}
	Answer *struct {
		survey.Submission
		Thanked bool
		Receipt string
	}
}

// soakNetwork is a network that loses, repeats, delays and replaces what goes through
// it.
type soakNetwork struct {
	e    *env
	late sync.WaitGroup
	mu   sync.Mutex
	draw *rand.Rand
	seen map[string]int
	old  []byte // an answer of before, to some tablet
}

// soakMoods are what happens to a request, and how often of a hundred.
var soakMoods = []struct {
	name string
	of   int
}{
	{"drop", 6}, {"swallow", 6}, {"twice", 6}, {"both", 4}, {"late", 4}, {"delay", 8}, {"portal", 3}, {"busy", 3}, {"refuse", 1}, {"cut", 3}, {"old", 2}, {"forge", 3},
}

func (n *soakNetwork) mood() (name string, wait time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	x := n.draw.IntN(100)
	for _, m := range soakMoods {
		if x -= m.of; x < 0 {
			name = m.name
			break
		}
	}
	n.seen[name]++
	return name, time.Duration(n.draw.IntN(40)) * time.Millisecond
}

func (n *soakNetwork) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	send := func() (status int, answer []byte) {
		req, err := http.NewRequest(r.Method, n.e.url+r.URL.Path, bytes.NewReader(body))
		if err != nil {
			return http.StatusBadGateway, nil
		}
		for _, name := range []string{"Authorization", "Content-Type"} {
			req.Header[name] = r.Header[name]
		}
		res, err := n.e.client.Do(req)
		if err != nil {
			return http.StatusBadGateway, nil
		}
		defer res.Body.Close()
		answer, err = io.ReadAll(res.Body)
		if err != nil {
			return http.StatusBadGateway, nil
		}
		return res.StatusCode, answer
	}
	hangUp := func() {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			c.Close()
		}
	}
	mood, wait := n.mood()
	switch mood {
	case "drop":
		hangUp()
		return
	case "swallow":
		send()
		hangUp()
		return
	case "late": // the tablet has given up, and asks again before this comes
		n.late.Go(func() { time.Sleep(5 * wait); send() })
		hangUp()
		return
	case "portal":
		fmt.Fprint(w, "<!DOCTYPE html><title>Wi-Fi</title>")
		return
	case "busy":
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case "refuse":
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	case "forge":
		w.Write(forgedAnswer(body))
		return
	case "both": // at the same time
		n.late.Go(func() { send() })
	case "twice":
		send()
	case "delay":
		time.Sleep(wait)
	}
	status, answer := send()
	n.mu.Lock()
	old := n.old
	if status == http.StatusOK && r.Method == http.MethodPost {
		n.old = answer
	}
	n.mu.Unlock()
	if mood == "old" && old != nil {
		answer = old
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(answer)))
	w.WriteHeader(status)
	if mood == "cut" {
		w.Write(answer[:len(answer)/2])
		hangUp()
		return
	}
	w.Write(answer)
}

// forgedAnswer is what somebody answers to a batch who has no key: that all is received
// and may be forgotten, five hours ago.
func forgedAnswer(batch []byte) []byte {
	var b kiosk.Batch
	_ = json.Unmarshal(batch, &b) // whatever it is
	all := kiosk.Numbers{{1, kiosk.MaxNumber}}
	answer := syncAnswer{Nonce: b.Nonce, Time: testNow().Add(-5 * time.Hour).UnixMilli(), Received: all, Covered: all}
	for _, it := range b.Items {
		answer.Receipts = append(answer.Receipts, syncReceipt{it.N, kiosk.Stored, kiosk.Receipt(nil, kiosk.Digest(it.Sealed), kiosk.Stored)})
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return nil
	}
	signed, err := json.Marshal(signedAnswer{string(text), kiosk.SignAnswer(nil, b.Nonce, text)})
	if err != nil {
		return nil
	}
	return signed
}

// soakDocuments have a desk where the form is full, one where it is split, and one
// where it is quick.
func soakDocuments(t testing.TB) survey.Documents {
	docs := testDocuments(t)
	for _, r := range []struct{ id, form, unit string }{{"r-split", survey.FormSplit, "u4"}, {"r-quick", survey.FormQuick, "u3"}} {
		round := docs.Rounds[0]
		round.ID, round.Form, round.Units = r.id, r.form, []string{r.unit}
		docs.Rounds = append(docs.Rounds, round)
	}
	return docs
}

// raceDetector reports whether the test runs under it.
func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// TestKioskSoak: fifty tablets with a thousand answers each (small: five with fifty), a
// network that does all it should not, programs that crash anywhere, clocks that jump, a store that fails now
// and then. Every answer that was thanked for is there once, as it was given, and
// every number is accounted for at every moment.
func TestKioskSoak(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no node: CI must have it")
		}
		t.Skip("no node")
	}
	type size struct{ tablets, answers int }
	full := size{50, 1000}
	if raceDetector() { // which makes all that the server does many times slower
		full.answers = 200
	}
	of := ciOr(t, full, size{5, 50})
	tablets, answers := of.tablets, of.answers
	const losing = 2
	docs := soakDocuments(t)
	started := time.Now()
	now := func() time.Time { return testNow().Add(time.Since(started)) }
	e := start(t, options{docs: &docs, failing: true, reports: &fakeReports{}, config: func(c *Config) { c.Now = now }})
	e.server.tablets.mu.Lock()
	e.server.tablets.rate *= 2000 // as much faster as the tablets are: soak.js
	e.server.tablets.mu.Unlock()
	ctx := context.Background()
	order := soakOrder{Direct: e.url, Token: e.tokens[store.RightStaff], Answers: answers, Losing: losing, Seed: 1}
	secrets := rand.New(rand.NewPCG(1, 1))
	for i := range tablets {
		tablet := soakTablet{Key: make([]byte, 32), Clock: []string{"right", "right", "ahead", "behind", "1970"}[i%5]}
		for k := range tablet.Key {
			tablet.Key[k] = byte(secrets.Uint32())
		}
		// A tablet exists long before: only its contacts say when an answer was given.
		d, err := e.store.AddDevice(ctx, fmt.Sprint("tablet ", i), []string{testDesk, "Q2", "X1", "N1"}[i%4], testNow().AddDate(0, 0, -20), e.server.cfg.Random)
		if err != nil {
			t.Fatal(err)
		}
		hash, _ := kiosk.ReadKey(base64.RawURLEncoding.EncodeToString(tablet.Key))
		if _, err := e.store.ChangeDevice(ctx, d.ID, func(d *kiosk.Device) error {
			d.Key, d.Comments = hex.EncodeToString(hash), i%2 == 0
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		tablet.ID = d.ID
		order.Tablets = append(order.Tablets, tablet)
	}
	network := &soakNetwork{e: e, draw: rand.New(rand.NewPCG(2, 2)), seen: map[string]int{}}
	proxy := httptest.NewServer(network)
	defer proxy.Close()
	order.URL, order.Now = proxy.URL, now().UnixMilli()
	given, err := json.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}

	limit, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(limit, node, "--no-warnings", "--experimental-global-webcrypto", "../../kiosk/app/testbed/soak.js")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(given), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var over atomic.Bool
	var watching sync.WaitGroup
	watching.Go(func() { soakWatch(e, order, &over) })
	lines := make(chan []soakLine, 1)
	go func() {
		var list []soakLine
		for scan := json.NewDecoder(bufio.NewReaderSize(out, 1<<20)); ; {
			var l soakLine
			if err := scan.Decode(&l); err != nil {
				if !errors.Is(err, io.EOF) {
					t.Errorf("read what the tablets say: %v", err)
				}
				lines <- list
				return
			}
			list = append(list, l)
		}
	}()
	said := <-lines
	err = cmd.Wait()
	over.Store(true)
	watching.Wait()
	e.engine.fail(nil)
	network.late.Wait()
	if err != nil {
		t.Fatalf("the tablets: %v", err)
	}
	took := time.Since(started)

	var expected []soakLine
	crashes, contacts := 0, map[string]int{}
	known, err := e.store.Contacts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	list := deviceList{}
	if a := e.do(call{path: "/api/v1/devices", token: e.tokens[store.RightStaff]}); a.status != http.StatusOK || json.Unmarshal([]byte(a.body), &list) != nil || len(list.Devices) != tablets {
		t.Fatalf("%d %.300s", a.status, a.body)
	}
	for _, l := range said {
		if l.Answer != nil {
			expected = append(expected, l)
			continue
		}
		w := l.Tablet
		crashes += w.Crashes
		for kind, n := range w.Contacts {
			contacts[kind] += n
		}
		c := known[w.ID]
		if len(c.Epochs) != 1 || w.Thanked < answers {
			t.Fatalf("tablet %s: %+v, %d thanked", w.ID, c, w.Thanked)
		}
		d := list.Devices[slices.IndexFunc(list.Devices, func(d DeviceStatus) bool { return d.ID == w.ID })]
		received := c.Epochs[0].Received
		if int64(w.Stored) != w.Highest || d.Given != w.Highest || !slices.Equal(received, kiosk.Numbers{{1, w.Highest}}) {
			t.Errorf("tablet %s stored %d answers and gave out %d numbers; the service knows of %d and has %v", w.ID, w.Stored, w.Highest, d.Given, received)
		}
		if len(d.Missing) > 0 || d.Unaccounted != 0 || d.Clones != 0 || d.Queue != 0 || !slices.Equal(d.States, []string{kiosk.StateFine}) && !slices.Equal(d.States, []string{kiosk.StateClock}) {
			t.Errorf("tablet %s: %+v", w.ID, d)
		}
	}
	if list.Quarantined != 0 {
		t.Errorf("%d answers are in quarantine", list.Quarantined)
	}
	if strings.Contains(e.log.String(), "more than tablets do") {
		t.Error("a tablet met the limit of what one sends")
	}
	compareSoak(t, e, expected)
	for _, m := range soakMoods {
		if network.seen[m.name] == 0 && of == full {
			t.Errorf("no request met %q", m.name)
		}
	}
	if of == full && (crashes == 0 || contacts["storage"] == 0) {
		t.Errorf("%d crashes, contacts %v", crashes, contacts)
	}
	t.Logf("%d tablets, %d answers in %v; %d crashes, contacts %v, network %v", tablets, len(expected), took.Round(time.Second), crashes, contacts, network.seen)
}

// soakWatch lets the store fail now and then, takes backups, and sees that every number
// is either received or waits on its tablet.
func soakWatch(e *env, order soakOrder, over *atomic.Bool) {
	for i := 0; !over.Load(); i++ {
		if i%10 == 9 {
			e.engine.fail(errors.New("the disk is full"))
			time.Sleep(20 * time.Millisecond)
			e.engine.fail(nil)
		}
		time.Sleep(20 * time.Millisecond)
		contacts, err := e.store.Contacts(context.Background())
		if err != nil {
			e.t.Error(err)
			return
		}
		var backup coveredBackup
		for at, tablet := range order.Tablets {
			c, there := contacts[tablet.ID]
			if !there {
				continue
			}
			if missing := c.Missing(); at >= order.Losing && (len(missing) > 0 || c.Unaccounted() > 0 || c.Clones() > 0) {
				e.t.Errorf("tablet %s: %v is missing, %d unaccounted for, %d clones", tablet.ID, missing, c.Unaccounted(), c.Clones())
			}
			for _, epoch := range c.Epochs {
				backup.Covers = append(backup.Covers, store.Cover{Device: tablet.ID, Epoch: epoch.ID, Received: epoch.Received})
			}
		}
		if i%10 != 0 {
			continue
		}
		body, err := json.Marshal(backup)
		if err != nil {
			e.t.Error(err)
			return
		}
		if a, err := e.send(call{method: "POST", path: "/api/v1/kiosk/covered", body: string(body), contentType: typeJSON, token: e.tokens[store.RightBackup]}); err != nil || a.status != http.StatusOK {
			e.t.Errorf("cover: %d %s %v", a.status, a.body, err)
		}
	}
}

// compareSoak compares what the tablets stored with what the service has.
func compareSoak(t *testing.T, e *env, expected []soakLine) {
	t.Helper()
	stored := map[string]survey.Response{}
	all := e.stored()
	for _, r := range all {
		stored[hex.EncodeToString(r.Receipt)] = r
	}
	if len(stored) != len(all) || len(all) != len(expected) {
		t.Errorf("%d answers with %d receipts are stored, the tablets stored %d", len(all), len(stored), len(expected))
	}
	catalogue, unsure := e.store.View().Catalogue, 0
	for _, l := range expected {
		a := l.Answer
		r, there := stored[a.Receipt]
		if !there {
			t.Errorf("an answer is lost, thanked: %v", a.Thanked)
			continue
		}
		in := catalogue.Instruments[survey.InstrumentKey(a.Instrument, a.Version)]
		module, _ := in.Asked(catalogue.Rounds[a.Round], r.ID)
		var want strings.Builder
		past := false // the item that was reached
		for i, item := range in.Items() {
			code := survey.Blank
			if given, answered := a.Answers[item.ID]; answered {
				code = given
			} else if module != nil && !module.Asks(i) {
				code = survey.NotAsked
			} else if past {
				code = survey.BrokenOff
			}
			want.WriteByte(byte(code))
			past = past || item.ID == a.Reached
		}
		field := a.Field
		if r.Desk == "Q2" { // which has one
			field = "land"
		}
		got := []string{r.ID.String(), r.Round, r.Desk, r.Instrument, fmt.Sprint(r.Version), string(r.Answers), r.Field, r.Filing, r.Helped, r.Comment, r.Language, r.Profile.String(), string(r.Channel), string(r.Door)}
		expect := []string{a.ID, a.Round, a.Desk, a.Instrument, fmt.Sprint(a.Version), want.String(), field, a.Filing, a.Helped, a.Comment, a.Language, survey.Profile(a.Profile).String(), string(survey.ChannelKiosk), string(survey.DoorOpen)}
		if !slices.Equal(got, expect) {
			t.Errorf("an answer became\n%q, was\n%q", got, expect)
		}
		if r.Flags&survey.FlagClock != 0 {
			unsure++
		}
		// Whatever the clocks of the tablet showed.
		if !r.Answered.Equal(survey.Hour(testNow())) {
			t.Errorf("an answer was given at %v, is said to be of %v", testNow(), r.Answered)
		}
	}
	// Most programs live until a contact.
	if unsure > len(expected)/2 {
		t.Errorf("the time of %d answers of %d is unsure", unsure, len(expected))
	}
}
