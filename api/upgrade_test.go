package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sipas/api/store/mongotest"
	"sipas/api/web"
	"sipas/survey"
)

// upgrade is testdata/upgrade/said.json.
type upgrade struct {
	Secret string
	// Now is when all of it happened.
	Now    time.Time
	Tokens map[string]string
	// Live and Withdrawn answers are in the store, and in its backup.
	Live, Withdrawn int
	Said, Drafts    []saidRequest
	Waiting         saidRequest
	// Slip was not used, Spent was.
	Slip, Spent string
	Imports     []savedImport
}

// savedImport is a file that was imported, or exported.
type savedImport struct {
	File, Map, Round string
	// Lines of the file, of which Withdrawn answers are withdrawn. Refused lines of an
	// export are of channels that an import may not claim any more.
	Lines, Withdrawn, Refused int
}

// saidRequest is a request of then.
type saidRequest struct {
	Kind, Path, Type, Token, Body string
	// Then is what becomes of each answer in it when it is sent again, Receipts the code
	// that its giver has.
	Then, Receipts []string
}

const upgradeFolder = "testdata/upgrade"

func readUpgrade(t *testing.T) *upgrade {
	t.Helper()
	u := &upgrade{}
	if err := json.Unmarshal([]byte(readFile(t, upgradeFolder, "said.json")), u); err != nil {
		t.Fatal(err)
	}
	return u
}

// unpack puts the store of then into a new folder.
func (u *upgrade) unpack(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	f, err := os.Open(filepath.Join(upgradeFolder, "store.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	gz, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for files := tar.NewReader(gz); ; {
		head, err := files.Next()
		if errors.Is(err, io.EOF) {
			return folder
		}
		var b []byte
		if err == nil {
			b, err = io.ReadAll(files)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, filepath.Base(head.Name)), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// empty makes a folder for a new store of the same installation.
func (u *upgrade) empty(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "secret.key"), []byte(u.Secret), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestUpgrade: whatever a client of the version before does again or goes on with is
// recognised by this one. No answer is stored twice, none is in conflict, and every
// receipt that was given withdraws its answer. testdata/upgrade/README.md says what
// there was.
func TestUpgrade(t *testing.T) {
	backup := filepath.Join(upgradeFolder, "sipas.backup")
	t.Run("the store", func(t *testing.T) {
		t.Parallel()
		u := readUpgrade(t)
		newUpgraded(t, u, storeFlags{Data: u.unpack(t)}).goOn(false)
	})
	t.Run("the backup, into the file store", func(t *testing.T) {
		t.Parallel()
		u := readUpgrade(t)
		folder := u.empty(t)
		mustSipas(t, "restore", "--data", folder, "--file", backup)
		newUpgraded(t, u, storeFlags{Data: folder}).goOn(true)
	})
	t.Run("the backup, into MongoDB", func(t *testing.T) {
		t.Parallel()
		u := readUpgrade(t)
		uri := mongotest.URI(t)
		mustSipas(t, "restore", "--mongodb-uri", uri, "--secret", u.Secret, "--file", backup)
		newUpgraded(t, u, storeFlags{MongoDBURI: uri, Secret: u.Secret}).goOn(true)
	})
	// What was lost before the store was: nothing of a backup is new in it.
	t.Run("the backup, into the store", func(t *testing.T) {
		t.Parallel()
		folder := readUpgrade(t).unpack(t)
		out := mustSipas(t, "restore", "--data", folder, "--file", backup, "--merge")
		if !strings.Contains(out, "answers: 0 stored, 25 there before, 0 withdrawn, 0 in conflict") {
			t.Errorf("restore --merge said:\n%s", out)
		}
	})
}

// upgraded is a service of now on a store of then, an hour later.
type upgraded struct {
	*upgrade
	t     *testing.T
	flags storeFlags
	now   time.Time
	url   string
	// live and gone answers are expected.
	live, gone int
	tmp        string
}

func newUpgraded(t *testing.T, u *upgrade, flags storeFlags) *upgraded {
	s := &upgraded{upgrade: u, t: t, flags: flags, now: u.Now.Add(time.Hour), live: u.Live, gone: u.Withdrawn, tmp: t.TempDir()}
	s.importAgain()
	s.serve()
	return s
}

// importAgain runs the imports again by the command that opens the store.
func (s *upgraded) importAgain() {
	s.t.Helper()
	where := []string{"--data", s.flags.Data}
	if s.flags.MongoDBURI != "" {
		where = []string{"--mongodb-uri", s.flags.MongoDBURI, "--secret", s.flags.Secret}
	}
	for _, im := range s.Imports {
		s.imported(im, where)
		if im.Map == "" { // of before rows proved what they say
			args := append([]string{"import", "--round", im.Round, "--restore", "--lang", "en", filepath.Join(upgradeFolder, im.File)}, where...)
			if code, out, stderr := sipas(s.t, args...); code != 1 || out != "" || !strings.Contains(stderr, "bring back a backup with restore") {
				s.t.Errorf("import --restore of %s: %d %s%s", im.File, code, out, stderr)
			}
		}
	}
}

func (s *upgraded) imported(im savedImport, where []string) {
	s.t.Helper()
	rejects := filepath.Join(s.tmp, im.File+".rejects.csv")
	args := append([]string{"import", "--round", im.Round, "--rejects", rejects, filepath.Join(upgradeFolder, im.File)}, where...)
	if im.Map != "" {
		args = append(args, "--map", filepath.Join(upgradeFolder, im.Map))
	}
	_, out, stderr := sipas(s.t, args...)
	if want := fmt.Sprintf("stored 0, duplicate %d, withdrawn %d, rejected %d", im.Lines-im.Withdrawn-im.Refused, im.Withdrawn, im.Refused); !strings.Contains(out, want) {
		s.t.Errorf("import of %s again said %q, want %q: %s", im.File, out, want, stderr)
	}
	if im.Refused > 0 && strings.Count(readFile(s.t, rejects), ",channel,channel_reserved,") != im.Refused {
		s.t.Errorf("import of %s again refused:\n%s", im.File, readFile(s.t, rejects))
	}
}

// serve starts the service in this process, whose clock stands at s.now.
func (s *upgraded) serve() {
	s.t.Helper()
	log := slog.New(slog.NewTextHandler(s.t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	st, err := s.flags.open(s.t.Context(), "serve", log)
	if err != nil {
		s.t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	config := webConfig(log, "https://khaosat.example.vn")
	config.Now = func() time.Time { return s.now }
	server := web.NewWaiting(config)
	running := newService(st, log, server)
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	s.url = "http://" + ln.Addr().String()
	s.t.Cleanup(func() {
		err := server.Shutdown(s.t.Context())
		if errors.Is(err, s.t.Context().Err()) {
			err = nil // the test is over: connections that idle are not waited for
		}
		if err := errors.Join(err, <-served, running.close()); err != nil {
			s.t.Error(err)
		}
	})
	pollUntil(s.t, "the reports are loaded", func() bool {
		return ask(http.DefaultClient, http.MethodGet, s.url+"/readyz", "", "", "").status == http.StatusOK
	})
}

// goOn does everything that clients of then may do; restored: from a backup, which
// holds no keys of slips.
func (s *upgraded) goOn(restored bool) {
	s.sayAgain()
	for _, im := range s.Imports {
		s.imported(im, []string{"--url", s.url, "--token", s.Tokens["all"]})
	}
	s.holds("after all was sent and imported again")
	s.postDrafts()
	s.send(&s.Waiting)
	s.live += len(s.Waiting.Then)
	s.Said = append(s.Said, s.Waiting)
	s.spendSlip(restored)
	s.mendQuarantine()
	s.withdrawAll()
	s.sayAgain()
	s.holds("after all was withdrawn")
}

// sayAgain sends again what was sent.
func (s *upgraded) sayAgain() {
	s.t.Helper()
	for i := range s.Said {
		s.send(&s.Said[i])
	}
}

// send sends a request of then and compares what becomes of its answers. A form that is
// sent again shows the receipt that it gave: it carries its stamp, which nobody else has.
func (s *upgraded) send(q *saidRequest) {
	s.t.Helper()
	got := ask(http.DefaultClient, http.MethodPost, s.url+q.Path, s.Tokens[q.Token], q.Type, q.Body)
	if became := outcomesOf(got); !slices.Equal(became, q.Then) {
		s.t.Errorf("%s, sent again: %v, want %v: %d %.300s", q.Kind, became, q.Then, got.status, got.body)
	}
	for k, code := range q.Receipts {
		again := strings.Contains(q.Body, "stamp=") && q.Then[k] == "duplicate"
		if strings.Contains(got.body, code) != again || !again && shownReceipt.MatchString(got.body) {
			s.t.Errorf("%s, sent again: its receipt is to be shown: %v: %.900s", q.Kind, again, got.body)
		}
	}
}

// outcomesOf reads what became of the answers of a request from whatever answers it.
func outcomesOf(r reply) (list []string) {
	var told struct {
		Outcome, Answer string
		Outcomes        []struct{ Outcome string }
	}
	if err := json.Unmarshal([]byte(r.body), &told); err != nil { // a page
		return []string{map[int]string{http.StatusOK: "duplicate", http.StatusGone: "withdrawn", http.StatusConflict: "conflict"}[r.status]}
	}
	if told.Outcome != "" {
		list = append(list, told.Outcome)
	}
	for _, o := range told.Outcomes {
		list = append(list, o.Outcome)
	}
	type receipt struct {
		N       int
		Outcome string
	}
	var tablet struct{ Receipts []receipt }
	if err := json.Unmarshal([]byte(told.Answer), &tablet); err == nil {
		slices.SortFunc(tablet.Receipts, func(a, b receipt) int { return a.N - b.N })
		for _, o := range tablet.Receipts {
			list = append(list, o.Outcome)
		}
	}
	return list
}

var shownReceipt = regexp.MustCompile(`<output>([0-9A-Z-]+)</output>`)

// postDrafts posts forms that were open, each twice: the second shows the same receipt.
func (s *upgraded) postDrafts() {
	s.t.Helper()
	for _, q := range s.Drafts {
		var codes []string
		for range 2 {
			got := ask(http.DefaultClient, http.MethodPost, s.url+q.Path, "", q.Type, q.Body)
			m := shownReceipt.FindStringSubmatch(got.body)
			if got.status != http.StatusOK || m == nil {
				s.t.Fatalf("%s: %d %s", q.Kind, got.status, got.body)
			}
			codes = append(codes, m[1])
		}
		if codes[0] != codes[1] {
			s.t.Errorf("%s: a second tap shows %s, the first %s", q.Kind, codes[1], codes[0])
		}
		s.live++
		q.Then, q.Receipts = []string{"duplicate"}, codes[:1]
		s.Said = append(s.Said, q)
		form, err := url.ParseQuery(q.Body)
		if err != nil {
			s.t.Fatal(err)
		}
		if flags := s.flagsOf(form.Get("id")); slices.Contains(flags, "unstamped") {
			s.t.Errorf("%s: flags %v", q.Kind, flags)
		}
	}
}

func (s *upgraded) flagsOf(id string) []string {
	s.t.Helper()
	var page web.ResponsePage
	for {
		got := ask(http.DefaultClient, http.MethodGet, s.url+"/api/v1/responses?after="+page.Next, s.Tokens["all"], "", "")
		page = web.ResponsePage{}
		if err := json.Unmarshal([]byte(got.body), &page); err != nil || page.Next == "" {
			s.t.Fatalf("answer %s is not in the export: %d %s", id, got.status, got.body)
		}
		for _, r := range page.Responses {
			if r.ID == id {
				return r.Flags
			}
		}
	}
}

// spendSlip lets an answer in by a slip that was not used, and none by one that was.
func (s *upgraded) spendSlip(restored bool) {
	s.t.Helper()
	body := func(slip string) string {
		id, err := survey.NewID(s.now, strings.NewReader(slip+strings.Repeat("x", 16)))
		if err != nil {
			s.t.Fatal(err)
		}
		return fmt.Sprintf(`{"id":%q,"round":"r-slip","desk":"S1","instrument":"sipas-2640","version":1,"answers":{"c01":4,"c02":5},"slip":%q}`, id, slip)
	}
	fresh := saidRequest{Kind: "a slip that was not used", Path: "/api/v1/responses", Type: "application/json", Body: body(s.Slip), Then: []string{"stored"}}
	s.send(&fresh)
	s.live++
	fresh.Then = []string{"duplicate"}
	s.send(&fresh)
	// The key of a round's slips is in no backup, and is destroyed when the round ends.
	if !restored && time.Now().Before(time.Date(2028, 2, 28, 0, 0, 0, 0, time.UTC)) {
		if got := ask(http.DefaultClient, http.MethodPost, s.url+"/api/v1/responses", "", "application/json", body(s.Spent)); !strings.Contains(got.body, string(survey.CodeSlipSpent)) {
			s.t.Errorf("another answer by a spent slip: %d %s", got.status, got.body)
		}
	}
}

// mendQuarantine withdraws one answer from the quarantine by its receipt, and then puts
// the round that the other one names.
func (s *upgraded) mendQuarantine() {
	s.t.Helper()
	tablet := slices.IndexFunc(s.Said, func(q saidRequest) bool { return q.Kind == "tablet" })
	q := &s.Said[tablet]
	aside := slices.Index(q.Then, "quarantined")
	s.withdraw(q, aside)
	round := `{"rounds":[{"id":"r-spring","title":{"vi":"Đợt mùa xuân","en":"Spring"},"instrument":"sipas-2640","version":1,"design":"visitors",
		"form":"quick","status":"closed","first":"2025-03-01","last":"2025-03-31","target":80,"units":["u3"]}]}`
	if got := ask(http.DefaultClient, http.MethodPut, s.url+"/api/v1/documents", s.Tokens["all"], "application/json", round); got.status != http.StatusOK {
		s.t.Fatalf("put a round: %d %s", got.status, got.body)
	}
	got := ask(http.DefaultClient, http.MethodPost, s.url+"/api/v1/quarantine/retry", s.Tokens["all"], "", "")
	if !strings.Contains(got.body, `"taken":1,"left":0`) {
		s.t.Errorf("the quarantine, tried again: %d %s", got.status, got.body)
	}
	s.live++
	q.Then[slices.Index(q.Then, "quarantined")] = "stored"
	s.send(q)
}

// withdrawAll withdraws every answer by the receipt that its giver has.
func (s *upgraded) withdrawAll() {
	s.t.Helper()
	done := map[string]bool{}
	for i := range s.Said {
		q := &s.Said[i]
		for k, code := range q.Receipts {
			switch {
			case q.Then[k] == "withdrawn":
			case done[code]: // the same answer twice in one batch
				q.Then[k] = "withdrawn"
			default:
				s.withdraw(q, k)
				s.live--
			}
			done[code] = true
		}
	}
}

func (s *upgraded) withdraw(q *saidRequest, k int) {
	s.t.Helper()
	got := ask(http.DefaultClient, http.MethodPost, s.url+"/r?lang=vi", "", "application/x-www-form-urlencoded", url.Values{"code": {q.Receipts[k]}}.Encode())
	if got.status != http.StatusOK || !strings.Contains(got.body, "Đã xóa phiếu") {
		s.t.Errorf("the receipt of %s does not withdraw: %d %s", q.Kind, got.status, got.body)
	}
	q.Then[k] = "withdrawn"
	s.gone++
}

// holds asks the service whether its store is sound, and counts what is in it.
func (s *upgraded) holds(when string) {
	s.t.Helper()
	out := mustSipas(s.t, "verify", "--url", s.url, "--token", s.Tokens["all"])
	if want := fmt.Sprintf("store: %d answers, %d withdrawn, ", s.live, s.gone); !strings.Contains(out, want) || !strings.Contains(out, "everything agrees") {
		s.t.Errorf("%s, verify does not say %q:\n%s", when, want, out)
	}
}
