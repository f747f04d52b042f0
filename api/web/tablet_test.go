package web

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sipas/api/store"
	"sipas/kiosk"
	"sipas/seeds"
	"sipas/stats"
	"sipas/survey"
)

// testClock is the clock of a service that a test moves on.
type testClock struct{ after atomic.Int64 }

func (c *testClock) now() time.Time { return testNow().Add(time.Duration(c.after.Load())) }

func (c *testClock) pass(d time.Duration) { c.after.Add(int64(d)) }

// tabletEnv is a service for tablets with a clock that can be moved on.
type tabletEnv struct {
	*env
	clock testClock
	// blank is an answer to begin with.
	blank map[string]any
}

func startTablets(t testing.TB, o options) *tabletEnv {
	t.Helper()
	e := &tabletEnv{}
	o.config = func(c *Config) { c.Now = e.clock.now }
	e.env = start(t, o)
	return e
}

// staff calls a route with the right that it needs and reads the answer.
func (e *tabletEnv) staff(method, path string, right store.Right, body, into any) answer {
	e.t.Helper()
	c := call{method: method, path: path, token: e.tokens[right]}
	if body != nil {
		c.body, c.contentType = string(jsonOf(e.t, body)), typeJSON
	}
	a := e.do(c)
	if into != nil {
		if a.status >= 300 {
			e.t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
		}
		if err := json.Unmarshal([]byte(a.body), into); err != nil {
			e.t.Fatal(err)
		}
	}
	return a
}

func jsonOf(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// addTablet makes a tablet with its pairing code.
func (e *tabletEnv) addTablet(name, desk string) PairedDevice {
	e.t.Helper()
	var p PairedDevice
	e.staff("POST", "/api/v1/devices", store.RightStaff, map[string]string{"name": name, "desk": desk}, &p)
	return p
}

// status is how staff see a tablet.
func (e *tabletEnv) status(id string) DeviceStatus {
	e.t.Helper()
	var list deviceList
	e.staff("GET", "/api/v1/devices", store.RightStaff, nil, &list)
	for _, d := range list.Devices {
		if d.ID == id {
			return d
		}
	}
	e.t.Fatalf("no tablet %s in %+v", id, list)
	return DeviceStatus{}
}

func (e *tabletEnv) change(id string, order map[string]any) DeviceStatus {
	e.t.Helper()
	var d DeviceStatus
	e.staff("POST", "/api/v1/devices/"+id, store.RightStaff, order, &d)
	return d
}

func (e *tabletEnv) quarantine() []quarantinedAnswer {
	e.t.Helper()
	var list quarantineList
	e.staff("GET", "/api/v1/quarantine", store.RightStaff, nil, &list)
	return list.Answers
}

func (e *tabletEnv) retry() retried {
	e.t.Helper()
	var r retried
	e.staff("POST", "/api/v1/quarantine/retry", store.RightStaff, nil, &r)
	return r
}

// mend changes the staff documents.
func (e *tabletEnv) mend(edit func(*survey.Documents)) {
	e.t.Helper()
	d, err := e.store.Documents()
	if err != nil {
		e.t.Fatal(err)
	}
	edit(&d)
	if _, err := e.store.PutDocuments(context.Background(), d); err != nil {
		e.t.Fatal(err)
	}
}

// openRound finds the round of the tests.
func openRound(d *survey.Documents) *survey.Round {
	return &d.Rounds[slices.IndexFunc(d.Rounds, func(r survey.Round) bool { return r.ID == testRound })]
}

// fakeTablet does what a tablet does, and believes nothing that is not signed.
type fakeTablet struct {
	e      *tabletEnv
	bearer string
	// hash of its key.
	hash   []byte
	device string
	seal   []byte
	desk   string
	epoch  string
	turn   int64
	// slow is by how much its wall clock is behind.
	slow time.Duration
	// session is the present one; sessions are all that it remembers. Monotonic time
	// begins at 0 with each.
	session  int64
	began    time.Time
	sessions []kiosk.Session
	highest  int64
	queue    []kiosk.Sealed
	kept     kiosk.Numbers
	// given are all answers, those of the queue among them.
	given map[int64]kiosk.Sealed
	// outcomes and codes for withdrawal by number.
	outcomes map[int64]kiosk.Outcome
	codes    map[int64]string
}

// newTablet makes a tablet with a key of its own that nobody knows yet.
func (e *tabletEnv) newTablet() *fakeTablet {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	sum := sha256.Sum256(key)
	f := &fakeTablet{e: e, bearer: base64.RawURLEncoding.EncodeToString(key), hash: sum[:]}
	f.wipe()
	return f
}

// paired is a tablet at a desk.
func (e *tabletEnv) paired(desk string) *fakeTablet {
	e.t.Helper()
	f := e.newTablet()
	f.pair(e.addTablet("Máy "+desk, desk).Code)
	return f
}

// wipe is what happens to a tablet whose storage is cleared; its key is kept here.
func (f *fakeTablet) wipe() {
	epoch := make([]byte, 16)
	_, _ = rand.Read(epoch)
	f.epoch, f.turn, f.highest, f.queue, f.kept = hex.EncodeToString(epoch), 0, 0, nil, nil
	f.sessions, f.given = nil, map[int64]kiosk.Sealed{}
	f.outcomes, f.codes = map[int64]kiosk.Outcome{}, map[int64]string{}
	f.restart()
}

// restart begins a new session.
func (f *fakeTablet) restart() {
	f.session++
	f.began = f.e.clock.now()
	f.sessions = append(f.sessions, kiosk.Session{N: f.session, Wall: f.wall()})
}

func (f *fakeTablet) wall() int64 { return f.e.clock.now().Add(-f.slow).UnixMilli() }

func (f *fakeTablet) mono() int64 { return f.e.clock.now().Sub(f.began).Milliseconds() }

func (f *fakeTablet) enrol(code string) answer {
	f.e.t.Helper()
	return f.e.do(call{method: "POST", path: "/api/v1/kiosk/enrol", contentType: typeJSON, body: string(jsonOf(f.e.t, enrolment{code, hex.EncodeToString(f.hash)}))})
}

// pair enrols and fetches the first bundle.
func (f *fakeTablet) pair(code string) {
	f.e.t.Helper()
	a := f.enrol(code)
	var who enrolled
	if err := json.Unmarshal([]byte(a.body), &who); err != nil || a.status != http.StatusOK {
		f.e.t.Fatalf("enrol: %d %s", a.status, a.body)
	}
	f.device, f.desk = who.Device, who.Desk
	var b kiosk.Bundle
	if err := json.Unmarshal([]byte(f.get("/api/v1/kiosk/bundle").body), &b); err != nil {
		f.e.t.Fatal(err)
	}
	f.seal = b.Seal
}

func (f *fakeTablet) get(path string) answer {
	f.e.t.Helper()
	return f.e.do(call{path: path, token: f.bearer})
}

// item is an answer that a person gives now; edit changes it before it is sealed. Its
// code is that of the highest number.
func (f *fakeTablet) item(edit func(map[string]any)) []byte {
	f.e.t.Helper()
	code, err := survey.NewCode(15, rand.Reader)
	if err != nil {
		f.e.t.Fatal(err)
	}
	f.codes[f.highest] = code[:4] + "-" + code[4:8] + "-" + code[8:12] + "-" + code[12:]
	hash := sha256.Sum256([]byte(code))
	if f.e.blank == nil {
		submission(f.e.t, func(m map[string]any) { f.e.blank = m })
	}
	m := maps.Clone(f.e.blank)
	m["id"], m["desk"], m["receipt"] = newID(f.e.t), f.desk, hex.EncodeToString(hash[:])
	m["session"], m["mono"], m["wall"] = f.session, f.mono(), f.wall()
	if edit != nil {
		edit(m)
	}
	return jsonOf(f.e.t, m)
}

// give puts an answer into the queue and returns its number.
func (f *fakeTablet) give(edit func(map[string]any)) int64 {
	f.e.t.Helper()
	f.highest++
	sealed, err := kiosk.Seal(f.seal, f.item(edit))
	if err != nil {
		f.e.t.Fatal(err)
	}
	f.given[f.highest] = kiosk.Sealed{N: f.highest, Sealed: sealed}
	f.queue = append(f.queue, f.given[f.highest])
	return f.highest
}

// put puts anything into the queue as if it was an answer.
func (f *fakeTablet) put(sealed []byte) int64 {
	f.highest++
	f.queue = append(f.queue, kiosk.Sealed{N: f.highest, Sealed: sealed})
	return f.highest
}

// batch is what the tablet says now.
func (f *fakeTablet) batch() kiosk.Batch {
	f.turn++
	nonce := make([]byte, 18)
	_, _ = rand.Read(nonce)
	var unsent kiosk.Numbers
	for _, it := range f.queue {
		unsent = unsent.With(kiosk.Numbers{{it.N, it.N}})
	}
	return kiosk.Batch{Turn: f.turn, Nonce: base64.RawURLEncoding.EncodeToString(nonce), Epoch: f.epoch, Highest: f.highest, Unsent: unsent, Kept: f.kept, App: "test",
		Session: f.session, Mono: f.mono(), Wall: f.wall(), Sessions: slices.Clone(f.sessions), Items: slices.Clone(f.queue[:min(len(f.queue), kiosk.MaxItems)])}
}

// post sends a batch as it is.
func (f *fakeTablet) post(b kiosk.Batch) answer {
	f.e.t.Helper()
	return f.e.do(call{method: "POST", path: "/api/v1/kiosk/sync", token: f.bearer, contentType: typeJSON, body: string(jsonOf(f.e.t, b))})
}

// send sends a batch, proves the answer and takes up its receipts.
func (f *fakeTablet) send(b kiosk.Batch) syncAnswer {
	f.e.t.Helper()
	res := f.post(b)
	if res.status != http.StatusOK {
		f.e.t.Fatalf("sync: %d %s", res.status, res.body)
	}
	return f.read(b, res)
}

func (f *fakeTablet) read(b kiosk.Batch, res answer) syncAnswer {
	f.e.t.Helper()
	var signed signedAnswer
	var a syncAnswer
	if err := json.Unmarshal([]byte(res.body), &signed); err != nil {
		f.e.t.Fatalf("%v: %s", err, res.body)
	}
	if signed.MAC != kiosk.SignAnswer(f.hash, b.Nonce, []byte(signed.Answer)) {
		f.e.t.Fatal("the signature of the answer is wrong")
	}
	if err := json.Unmarshal([]byte(signed.Answer), &a); err != nil || a.Nonce != b.Nonce || a.Time != f.e.clock.now().UnixMilli() {
		f.e.t.Fatalf("%v: %s", err, signed.Answer)
	}
	f.prove(b.Items, a.Receipts)
	if !a.Revoked {
		f.sessions[len(f.sessions)-1].Anchor = &kiosk.Anchor{Mono: f.mono(), Time: a.Time}
		f.desk = a.Desk
	}
	return a
}

// prove checks receipts, and takes what has one out of the queue.
func (f *fakeTablet) prove(items []kiosk.Sealed, receipts []syncReceipt) {
	f.e.t.Helper()
	for _, r := range receipts {
		at := slices.IndexFunc(items, func(it kiosk.Sealed) bool {
			return it.N == r.N && r.Receipt == kiosk.Receipt(f.hash, kiosk.Digest(it.Sealed), r.Outcome)
		})
		if at < 0 {
			f.e.t.Fatalf("the receipt %+v is of no answer that was sent", r)
		}
		f.outcomes[r.N] = r.Outcome
		f.kept = f.kept.With(kiosk.Numbers{{r.N, r.N}})
		f.queue = slices.DeleteFunc(f.queue, func(it kiosk.Sealed) bool { return it.N == r.N && bytes.Equal(it.Sealed, items[at].Sealed) })
	}
}

// sync sends one batch.
func (f *fakeTablet) sync() syncAnswer {
	f.e.t.Helper()
	return f.send(f.batch())
}

// export writes the file that a tablet hands over, with what is in its queue.
func (f *fakeTablet) export() []byte {
	f.e.t.Helper()
	b := f.batch()
	b.Items = f.queue
	return f.exportOf(jsonOf(f.e.t, b))
}

// exportOf signs the text of a batch and seals it to the server.
func (f *fakeTablet) exportOf(batch []byte) []byte {
	f.e.t.Helper()
	mac := hmac.New(sha256.New, f.hash)
	mac.Write(append([]byte("sipas export 1\n"), batch...))
	inner := jsonOf(f.e.t, map[string]string{"batch": string(batch), "mac": base64.RawURLEncoding.EncodeToString(mac.Sum(nil))})
	return jsonOf(f.e.t, kiosk.Export{Format: 1, Device: f.device, Sealed: f.sealExport(inner)})
}

// sealExport seals for another purpose than answers are sealed for.
func (f *fakeTablet) sealExport(text []byte) []byte {
	f.e.t.Helper()
	point, err := ecdh.P256().NewPublicKey(f.seal)
	if err != nil {
		f.e.t.Fatal(err)
	}
	key, err := hpke.NewDHKEMPublicKey(point)
	if err != nil {
		f.e.t.Fatal(err)
	}
	sealed, err := hpke.Seal(key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte("sipas kiosk export 1"), text)
	if err != nil {
		f.e.t.Fatal(err)
	}
	return sealed
}

func (e *tabletEnv) postExport(file []byte) answer {
	e.t.Helper()
	return e.do(call{method: "POST", path: "/api/v1/kiosk/exports", token: e.tokens[store.RightStaff], contentType: typeJSON, body: string(file)})
}

// export hands in a file that is taken.
func (e *tabletEnv) export(file []byte) exported {
	e.t.Helper()
	var out exported
	a := e.postExport(file)
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != http.StatusOK {
		e.t.Fatalf("%d %s", a.status, a.body)
	}
	return out
}

// TestTabletSync: a batch that comes three times is stored once and has the same
// receipts each time; the answer is what the person said, at the hour and desk.
func TestTabletSync(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	e.clock.pass(2 * time.Hour)
	f.give(func(m map[string]any) {
		m["field"], m["filing"], m["helped"], m["comment"], m["seconds"] = "land", "counter", "alone", "Rất tốt", 200
	})
	f.give(func(m map[string]any) { m["answers"] = map[string]any{"c01": 5, "c02": "na"} })
	e.clock.pass(3 * time.Hour)
	b := f.batch()
	first := f.send(b)
	if len(first.Receipts) != 2 || f.outcomes[1] != kiosk.Stored || f.outcomes[2] != kiosk.Stored || !slices.Equal(first.Received, kiosk.Numbers{{1, 2}}) ||
		first.Desk != testDesk || first.Name != "Máy Q1" {
		t.Fatalf("%+v", first)
	}
	for range 2 {
		if again := f.send(b); !reflect.DeepEqual(again, first) {
			t.Errorf("again: %+v, before %+v", again, first)
		}
	}
	list := e.stored()
	if len(list) != 2 {
		t.Fatalf("%d answers stored", len(list))
	}
	slices.SortFunc(list, func(a, b survey.Response) int { return strings.Compare(b.Field, a.Field) })
	r := list[0]
	if r.Channel != survey.ChannelKiosk || r.Door != survey.DoorOpen || r.Desk != testDesk || r.Unit != "u1" || r.Field != "land" || r.Comment != "Rất tốt" ||
		!r.Answered.Equal(survey.Hour(testNow().Add(2*time.Hour))) || !r.Received.Equal(survey.Hour(testNow().Add(5*time.Hour))) || r.Flags != survey.FlagStraightLine {
		t.Errorf("%+v", r)
	}
	status := e.status(f.device)
	if status.Given != 2 || status.Queue != 0 || len(status.Missing) > 0 || status.Clones != 0 || !slices.Equal(status.States, []string{kiosk.StateFine}) || status.App != "test" {
		t.Errorf("%+v", status)
	}
	// Whoever looks into the log finds neither key nor code nor answer.
	for _, secret := range []string{f.bearer, hex.EncodeToString(f.hash), f.codes[1], "Rất tốt", r.ID.String()} {
		if strings.Contains(e.log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// TestTabletBatch: each answer of a batch has an outcome of its own, and none keeps
// the others out.
func TestTabletBatch(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	sealed := func(text string) []byte {
		s, err := kiosk.Seal(f.seal, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	want := map[int64]kiosk.Outcome{}
	gone := f.give(nil)
	f.sync()
	if err := e.store.Withdraw(context.Background(), f.codes[gone]); err != nil {
		t.Fatal(err)
	}
	// The same answer under another seal, as if it was sealed twice.
	var again map[string]any
	want[f.give(func(m map[string]any) { again = maps.Clone(m) })] = kiosk.Stored
	want[f.put(sealed(string(jsonOf(t, again))))] = kiosk.Stored
	foreign, err := kiosk.NewSealKey(make([]byte, 32)) // of another installation
	if err != nil {
		t.Fatal(err)
	}
	other, err := kiosk.Seal(foreign.Public(), f.item(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range [][]byte{[]byte("garbage"), sealed("garbage"), sealed(`{"id":5}`), sealed(`null`), other} {
		want[f.put(it)] = kiosk.Quarantined
	}
	for _, edit := range []func(map[string]any){
		func(m map[string]any) { m["desk"] = "NOPE" },
		func(m map[string]any) { m["desk"] = "Q2" }, // it never stood there
		func(m map[string]any) { m["round"] = "r-coming" },
		func(m map[string]any) { m["answers"] = map[string]any{"c01": 6} },
		func(m map[string]any) { m["answers"] = "all" },
		func(m map[string]any) { m["version"] = 9 },
		func(m map[string]any) { m["id"] = "x" },
		func(m map[string]any) { m["receipt"] = "x" },
		func(m map[string]any) { m["receipt"] = "aa" },
		func(m map[string]any) { m["comment"] = strings.Repeat("ạ", 1001) },
		// An id that is there with other content.
		func(m map[string]any) { m["id"], m["answers"] = again["id"], map[string]any{"c01": 1} },
	} {
		want[f.give(edit)] = kiosk.Quarantined
	}
	want[f.give(nil)] = kiosk.Stored
	b := f.batch()
	// The one that was withdrawn comes once more in the middle, one twice.
	b.Items = append(slices.Insert(b.Items, 3, f.given[gone]), b.Items[0])
	want[gone] = kiosk.Withdrawn
	for range 2 {
		a := f.send(b)
		if len(a.Receipts) != len(b.Items) || !maps.Equal(f.outcomes, want) {
			t.Errorf("%d receipts of %d: %v, want %v", len(a.Receipts), len(b.Items), f.outcomes, want)
		}
		if n := len(e.stored()); n != 2 {
			t.Errorf("%d answers stored, want 2", n)
		}
		if n := len(e.quarantine()); n != 16 {
			t.Errorf("%d in quarantine, want 16", n)
		}
	}
	if len(f.queue) != 0 {
		t.Errorf("%d answers stay in the queue", len(f.queue))
	}
}

// TestNoBatch: a body that is no batch is refused whole.
func TestNoBatch(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	f.give(nil)
	good := f.batch()
	with := func(edit func(*kiosk.Batch)) string {
		b := good
		edit(&b)
		return string(jsonOf(t, b))
	}
	text := with(func(*kiosk.Batch) {})
	details := map[string]string{"epoch": "epoch", "number 0": "answer 1 of 1", "too many answers": "too many answers", "empty": "JSON"}
	for what, body := range map[string]string{
		"empty": "", "cut": text[:len(text)-2], "two": text + text, "an array": "[" + text + "]", "not UTF-8": strings.Replace(text, `"app":"test"`, "\"app\":\"\xff\"", 1),
		"epoch": with(func(b *kiosk.Batch) { b.Epoch = "x" }), "nonce": with(func(b *kiosk.Batch) { b.Nonce = "short" }),
		"number 0":         with(func(b *kiosk.Batch) { b.Items = []kiosk.Sealed{{N: 0, Sealed: []byte("a")}} }),
		"too many answers": with(func(b *kiosk.Batch) { b.Items = slices.Repeat(b.Items, kiosk.MaxItems+1) }),
		"too large":        with(func(b *kiosk.Batch) { b.Items = []kiosk.Sealed{{N: 1, Sealed: make([]byte, 20<<10)}} }),
	} {
		a := e.do(call{method: "POST", path: "/api/v1/kiosk/sync", token: f.bearer, contentType: typeJSON, body: body})
		if a.status != http.StatusUnprocessableEntity || a.errorOf(t).Code != codeBatch || a.errorOf(t).Detail == "" || !strings.Contains(a.errorOf(t).Detail, details[what]) {
			t.Errorf("%s: %d %.200s", what, a.status, a.body)
		}
	}
	if n := len(e.stored()); n != 0 || e.status(f.device).LastContact != nil {
		t.Errorf("%d answers stored", n)
	}
	f.send(good)
	if n := len(e.stored()); n != 1 {
		t.Errorf("%d answers stored", n)
	}
}

// TestTabletAccess: a sync needs the key of a tablet, which opens nothing else.
func TestTabletAccess(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f, stranger := e.paired(testDesk), e.newTablet()
	f.give(nil)
	body := string(jsonOf(t, f.batch()))
	for _, c := range []struct {
		what, token string
		status      int
		code        survey.Code
	}{
		{"nobody", "", http.StatusUnauthorized, codeTokenRequired},
		{"an unknown key", stranger.bearer, http.StatusUnauthorized, codeTokenUnknown},
		{"the hash of the key", base64.RawURLEncoding.EncodeToString(f.hash), http.StatusUnauthorized, codeTokenUnknown},
		{"staff", e.tokens[store.RightStaff], http.StatusForbidden, codeRightMissing},
	} {
		a := e.do(call{method: "POST", path: "/api/v1/kiosk/sync", token: c.token, contentType: typeJSON, body: body})
		if a.status != c.status || a.errorOf(t).Code != c.code {
			t.Errorf("%s: %d %s", c.what, a.status, a.body)
		}
		if a := e.do(call{path: "/api/v1/kiosk/bundle", token: c.token}); a.status != c.status {
			t.Errorf("%s gets a bundle: %d", c.what, a.status)
		}
	}
	for _, path := range []string{"/api/v1/devices", "/api/v1/quarantine", "/api/v1/responses", "/api/v1/documents", "/api/v1/backup", "/api/v1/status"} {
		if a := f.get(path); a.status != http.StatusUnauthorized {
			t.Errorf("a tablet gets %s: %d", path, a.status)
		}
	}
	// Only a tablet may send much.
	for _, token := range []string{"", stranger.bearer, e.tokens[store.RightStaff]} {
		if status := e.announce("POST", "/api/v1/kiosk/sync", token, smallBody+1); status != http.StatusRequestEntityTooLarge {
			t.Errorf("a large body with the token %.10q: %d", token, status)
		}
	}
	if status := e.announce("POST", "/api/v1/kiosk/sync", f.bearer, syncBody+1); status != http.StatusRequestEntityTooLarge {
		t.Errorf("too large a body of a tablet: %d", status)
	}
	large := f.batch()
	for range 80 {
		large.Items = append(large.Items, kiosk.Sealed{N: 2, Sealed: make([]byte, 16<<10)})
	}
	if a := f.post(large); a.status != http.StatusOK {
		t.Errorf("a large body of a tablet: %d %s", a.status, a.body)
	}
}

// TestTabletWithdrawal: the code that a tablet made withdraws its answer, however it
// is typed, and the answer does not come back.
func TestTabletWithdrawal(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	n, other := f.give(nil), f.give(nil)
	withdraw := func(code string) string {
		a := e.do(call{method: "POST", path: "/r?lang=vi", contentType: typeForm, body: url.Values{"code": {code}}.Encode()})
		if a.status != http.StatusOK {
			t.Fatal(a.status, a.body)
		}
		return a.body
	}
	erased, unknown := e.server.texts.say("vi", "erased.title"), e.server.texts.say("vi", "not_arrived.title")
	if page := withdraw(f.codes[n]); !strings.Contains(page, unknown) {
		t.Error("an answer that is still on the tablet was withdrawn")
	}
	b := f.batch()
	f.send(b)
	if page := withdraw(" " + strings.ToLower(strings.ReplaceAll(f.codes[n], "-", " ")) + " "); !strings.Contains(page, erased) {
		t.Errorf("the code %s withdraws nothing", f.codes[n])
	}
	if page := withdraw(f.codes[n]); !strings.Contains(page, unknown) {
		t.Error("withdrawn twice")
	}
	list := e.stored()
	if len(list) != 1 {
		t.Fatalf("%d answers stored", len(list))
	}
	// The server could make a code for every id: it must open nothing here.
	if page := withdraw(e.store.Receipt(list[0].ID, nil)); !strings.Contains(page, unknown) {
		t.Error("a code that the tablet did not make withdraws its answer")
	}
	f.send(b)
	if f.outcomes[n] != kiosk.Withdrawn || f.outcomes[other] != kiosk.Stored || len(e.stored()) != 1 {
		t.Errorf("sent again: %v, %d answers stored", f.outcomes, len(e.stored()))
	}
	if s := e.status(f.device); len(s.Missing) > 0 || s.Clones != 0 {
		t.Errorf("%+v", s)
	}
}

// TestTabletMoves: answers keep the desk at which they were given.
func TestTabletMoves(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	f.give(nil)
	f.give(nil)
	e.clock.pass(time.Minute)
	if d := e.change(f.device, map[string]any{"desk": "Q2"}); d.Desk != "Q2" || len(d.Places) != 2 {
		t.Errorf("%+v", d)
	}
	f.give(nil) // it does not know yet
	if a := f.sync(); a.Desk != "Q2" {
		t.Errorf("%+v", a)
	}
	f.give(nil)
	f.sync()
	at := func() map[string]int {
		desks := map[string]int{}
		for _, r := range e.stored() {
			desks[r.Desk]++
		}
		return desks
	}
	if got := at(); !maps.Equal(got, map[string]int{"Q1": 3, "Q2": 1}) {
		t.Errorf("%v", got)
	}
	e.change(f.device, map[string]any{"desk": "Q1"})
	f.give(nil) // at Q2, where it no longer stands
	f.sync()
	f.give(nil)
	f.sync()
	if got := at(); !maps.Equal(got, map[string]int{"Q1": 4, "Q2": 2}) || len(e.quarantine()) != 0 {
		t.Errorf("%v, %v", got, e.quarantine())
	}
}

// TestTabletGaps: numbers that were given out, are not on the tablet and never came
// are missing until they come.
func TestTabletGaps(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	for range 6 {
		f.give(nil)
	}
	f.queue = slices.Delete(f.queue, 2, 4) // 3 and 4
	b := f.batch()
	b.Items = b.Items[:3]
	f.send(b)
	s := e.status(f.device)
	if !slices.Equal(s.Missing, kiosk.Numbers{{3, 4}}) || !slices.Equal(s.States, []string{kiosk.StateMissing}) || s.Queue != 1 || s.Given != 6 || s.Unaccounted != 0 {
		t.Errorf("%+v", s)
	}
	// One of them is found again, the other one later.
	f.queue = append(f.queue, f.given[4])
	f.sync()
	if s := e.status(f.device); !slices.Equal(s.Missing, kiosk.Numbers{{3, 3}}) || s.Queue != 0 {
		t.Errorf("%+v", s)
	}
	f.queue = append(f.queue, f.given[3])
	f.sync()
	if s := e.status(f.device); len(s.Missing) > 0 || !slices.Equal(s.States, []string{kiosk.StateFine}) || s.Clones != 0 || len(e.stored()) != 6 {
		t.Errorf("%+v", s)
	}
}

// TestTabletWiped: what was on a tablet when its storage was cleared is unaccounted
// for, until a file brings it.
func TestTabletWiped(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	for range 5 {
		f.give(nil)
	}
	b := f.batch()
	b.Items = b.Items[:2]
	f.send(b)
	if s := e.status(f.device); s.Queue != 3 || s.Unaccounted != 0 || len(s.Missing) > 0 {
		t.Errorf("%+v", s)
	}
	file := f.export()
	f.wipe()
	f.give(nil)
	f.sync()
	s := e.status(f.device)
	if s.Unaccounted != 3 || len(s.Missing) > 0 || s.Given != 1 || !slices.Equal(s.States, []string{kiosk.StateMissing}) || s.Clones != 0 {
		t.Errorf("%+v", s)
	}
	if out := e.export(file); out.Stored != 3 {
		t.Errorf("%+v", out)
	}
	if s := e.status(f.device); s.Unaccounted != 0 || s.Given != 1 || !slices.Equal(s.States, []string{kiosk.StateFine}) || len(e.stored()) != 6 {
		t.Errorf("%+v", s)
	}
}

// TestTabletCloned: two tablets with the same database give out the same numbers.
func TestTabletCloned(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	f.give(nil)
	f.sync()
	clone := *f
	clone.queue, clone.given = nil, map[int64]kiosk.Sealed{}
	clone.outcomes, clone.codes = map[int64]kiosk.Outcome{}, map[int64]string{}
	f.give(nil)
	clone.give(nil)
	f.sync()
	if s := e.status(f.device); s.Clones != 0 {
		t.Errorf("%+v", s)
	}
	b := clone.batch()
	clone.send(b)
	clone.send(b) // is counted once
	if s := e.status(f.device); s.Clones != 1 || s.States[0] != kiosk.StateCloned || len(e.stored()) != 3 || clone.outcomes[2] != kiosk.Stored {
		t.Errorf("%+v, %v", s, clone.outcomes)
	}
	// Several in one batch, of which one cannot be taken.
	f.give(nil)
	clone.highest = 2
	clone.give(nil)
	clone.highest = 2
	clone.give(func(m map[string]any) { m["desk"] = "NOPE" })
	f.queue = append(f.queue, clone.queue...)
	f.sync()
	if s := e.status(f.device); s.Clones != 3 || len(e.stored()) != 5 || len(e.quarantine()) != 1 {
		t.Errorf("%+v", s)
	}
}

// TestTabletOldVersion: an answer to an older published version is taken.
func TestTabletOldVersion(t *testing.T) {
	docs := testDocuments(t)
	second := docs.Instruments[0]
	second.Version = 2
	docs.Instruments = append(docs.Instruments, second)
	docs.Rounds[0].Version = 2
	e := startTablets(t, options{docs: &docs})
	f := e.paired(testDesk)
	f.give(nil)
	f.give(func(m map[string]any) { m["version"] = 2 })
	f.give(func(m map[string]any) { m["version"] = 3 })
	f.sync()
	versions := map[int]int{}
	for _, r := range e.stored() {
		versions[r.Version]++
	}
	if !maps.Equal(versions, map[int]int{1: 1, 2: 1}) || f.outcomes[3] != kiosk.Quarantined {
		t.Errorf("versions %v, %v", versions, f.outcomes)
	}
	var b kiosk.Bundle
	if err := json.Unmarshal([]byte(f.get("/api/v1/kiosk/bundle").body), &b); err != nil || len(b.Instruments) != 1 || b.Instruments[seeds.Sipas2640+"@2"] == nil {
		t.Errorf("%v: %v", err, b.Instruments)
	}
}

// TestTabletLate: a round that is over takes what was given while it ran, and counts
// it as late; nothing that was given afterwards.
func TestTabletLate(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f, prompt := e.paired(testDesk), e.paired(testDesk)
	prompt.give(nil)
	prompt.sync()
	f.give(nil)
	f.give(nil)
	e.clock.pass(8 * 24 * time.Hour) // 2 December, the round ended on 30 November
	f.give(nil)
	e.mend(func(d *survey.Documents) { openRound(d).Status = survey.StatusClosed })
	f.sync()
	if want := map[int64]kiosk.Outcome{1: kiosk.Stored, 2: kiosk.Stored, 3: kiosk.Quarantined}; !maps.Equal(f.outcomes, want) {
		t.Errorf("%v, want %v", f.outcomes, want)
	}
	if q := e.quarantine(); len(q) != 1 || !strings.Contains(q[0].Reason, string(survey.CodeOutsideRound)) || q[0].Answered != "2026-12-02T03" {
		t.Errorf("%+v", q)
	}
	var r stats.Report
	e.staff("GET", "/api/v1/rounds/"+testRound+"/report", store.RightFull, nil, &r)
	if r.Counts.Late != 2 || r.Counts.Received != 3 || r.Counts.Counted != 3 || r.Counts.ByChannel["kiosk"] != 3 {
		t.Errorf("%+v", r.Counts)
	}
}

// TestTabletClock: an answer from a session that nobody proves is marked, and lands
// on its day as far as the sessions around it tell.
func TestTabletClock(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	f.slow = 400 * 24 * time.Hour // it thinks that it is last year
	f.restart()
	f.give(nil)
	f.sync() // 24 November, proven
	e.clock.pass(24 * time.Hour)
	f.restart()
	f.give(nil) // 25 November, without contact
	e.clock.pass(24 * time.Hour)
	f.restart()
	f.give(nil) // 26 November
	e.clock.pass(5 * time.Hour)
	f.sync() // proves what came before in this session
	f.restart()
	f.give(nil) // 26 November, in a session that it forgets
	f.restart()
	e.clock.pass(24 * time.Hour)
	b := f.batch()
	b.Sessions = slices.DeleteFunc(b.Sessions, func(s kiosk.Session) bool { return s.N == f.session-1 })
	f.send(b)
	got := map[string]int{}
	for _, r := range e.stored() {
		unsure := ""
		if r.Flags&survey.FlagClock != 0 {
			unsure = " clock_unsure"
		}
		got[r.Answered.Format(hourLayout)+unsure]++
	}
	want := map[string]int{
		"2026-11-24T03": 1, "2026-11-25T03 clock_unsure": 1, "2026-11-26T03": 1,
		"2026-11-24T03 clock_unsure": 1, // the last one: nothing is before the tablet was made
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if s := e.status(f.device); s.ClockOffset != f.slow.Seconds() || !slices.Contains(s.States, kiosk.StateClock) {
		t.Errorf("%+v", s)
	}
}

// TestTabletTurns: a batch that was held up on the way brings its answers, and says
// nothing new of the tablet.
func TestTabletTurns(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	f.give(nil)
	held := f.batch()
	held.App, held.Status.Problem = "old", "full"
	f.give(nil)
	newer := f.batch()
	newer.Items, newer.App = newer.Items[1:], "new"
	f.send(newer)
	before := e.status(f.device)
	if before.App != "new" || before.Queue != 1 {
		t.Errorf("%+v", before)
	}
	e.clock.pass(time.Hour)
	f.send(held)
	after := e.status(f.device)
	if after.App != "new" || after.Status.Problem != "" || !after.LastContact.Equal(*before.LastContact) || after.Given != 2 || len(after.Missing) > 0 {
		t.Errorf("%+v", after)
	}
	if len(e.stored()) != 2 {
		t.Errorf("%d answers stored", len(e.stored()))
	}
}

// TestTabletRevoked: a revoked tablet is told so, signed; its answers wait for its
// file.
func TestTabletRevoked(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	f.give(nil)
	f.sync()
	f.give(nil)
	f.give(func(m map[string]any) { m["desk"] = "NOPE" })
	var d DeviceStatus
	e.staff("POST", "/api/v1/devices/"+f.device+"/revoke", store.RightStaff, nil, &d)
	if d.Revoked == nil || !slices.Contains(d.States, kiosk.StateRevoked) {
		t.Errorf("%+v", d)
	}
	if a := f.sync(); !a.Revoked || len(a.Receipts) > 0 || a.Bundle != "" || len(f.queue) != 2 {
		t.Errorf("%+v", a)
	}
	if a := f.get("/api/v1/kiosk/bundle"); a.status != http.StatusForbidden || a.errorOf(t).Code != codeRevoked {
		t.Errorf("%d %s", a.status, a.body)
	}
	if len(e.stored()) != 1 || len(e.quarantine()) != 0 {
		t.Fatalf("a revoked tablet handed in: %d stored", len(e.stored()))
	}
	file, items := f.export(), slices.Clone(f.queue)
	for range 2 {
		out := e.export(file)
		if out.Device != f.device || out.Answers != 2 || out.Stored != 1 || out.Quarantined != 1 || out.Failed != 0 {
			t.Errorf("%+v", out)
		}
		f.prove(items, out.Receipts)
	}
	if len(f.queue) != 0 || len(e.stored()) != 2 || len(e.quarantine()) != 1 {
		t.Errorf("%d in the queue, %d stored", len(f.queue), len(e.stored()))
	}
	if s := e.status(f.device); s.Clones != 0 || len(s.Missing) > 0 {
		t.Errorf("%+v", s)
	}
}

// TestBundle: its name is its SHA-256, and another one when what it is made of
// changes.
func TestBundle(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f, other := e.paired(testDesk), e.paired("Q2")
	names := map[string]string{}
	check := func(what string, changed bool) {
		t.Helper()
		name := f.sync().Bundle
		a := f.get("/api/v1/kiosk/bundle")
		sum := sha256.Sum256([]byte(a.body))
		if a.status != http.StatusOK || name != hex.EncodeToString(sum[:]) {
			t.Fatalf("%s: named %s, is %x", what, name, sum)
		}
		if before, known := names[name]; known == changed {
			t.Errorf("%s: changed %v, known from %q", what, !known, before)
		}
		names[name] = what
		b := f.batch()
		b.Bundle = name
		f.send(b)
		if s := e.status(f.device); !s.Current {
			t.Errorf("%s: %+v", what, s)
		}
	}
	check("first", true)
	check("again", false)
	e.clock.pass(time.Hour)
	check("an hour later", false)
	if other.sync().Bundle == f.sync().Bundle {
		t.Error("another desk has the same")
	}
	e.mend(func(d *survey.Documents) { d.Units[0].Hotline = "0255 999 999" })
	if s := e.status(f.device); s.Current {
		t.Errorf("an old bundle is current: %+v", s)
	}
	check("another hotline", true)
	e.change(f.device, map[string]any{"comments": true})
	check("comments", true)
	e.change(f.device, map[string]any{"desk": "Q2"})
	check("moved", true)
	e.clock.pass(24 * time.Hour)
	check("the next day", true)
	var b kiosk.Bundle
	body := f.get("/api/v1/kiosk/bundle").body
	if err := json.Unmarshal([]byte(body), &b); err != nil {
		t.Fatal(err)
	}
	if b.Device.ID != f.device || !b.Device.Comments || b.Desk.ID != "Q2" || b.Desk.Hotline != "0255 999 999" || len(b.Desk.Fields) != 1 || len(b.Rounds) != 1 || b.Rounds[0].ID != testRound ||
		b.PublicURL != publicURL || !strings.HasPrefix(b.Sounds["sipas-2640@1.c01.vi"], "/sound/"+testSound) || len(b.Seal) != 65 || b.Day != "2026-11-25" {
		t.Errorf("%.2000s", body)
	}
	for _, secret := range []string{f.bearer, hex.EncodeToString(f.hash)} {
		if strings.Contains(body, secret) {
			t.Error("the bundle has the key")
		}
	}
}

// TestTabletStoreAway: a store that fails in the middle gives no receipt for what it
// has not, and everything is there once when it is sent again.
func TestTabletStoreAway(t *testing.T) {
	waits(t)
	e := startTablets(t, options{failing: true})
	f := e.paired(testDesk)
	for range 5 {
		f.give(nil)
	}
	f.give(func(m map[string]any) { m["desk"] = "NOPE" })
	b := f.batch()
	e.engine.fail(fmt.Errorf("%w: disk full", store.ErrUnavailable))
	if a := f.post(b); a.status != http.StatusServiceUnavailable || strings.Contains(a.body, "receipt") {
		t.Errorf("%d %s", a.status, a.body)
	}
	e.engine.fail(nil)
	if s := e.status(f.device); s.LastContact != nil {
		t.Errorf("%+v", s)
	}
	// Of new answers it takes every second one, and everything else.
	f = e.paired("Q2")
	for range 5 {
		f.give(nil)
	}
	f.give(func(m map[string]any) { m["desk"] = "NOPE" })
	b = f.batch()
	gate, sent := make(chan struct{}), make(chan answer, 1)
	e.engine.fail(errors.New("only every second one"))
	e.engine.hold(gate)
	waiting := e.engine.waiting.Load()
	go func() {
		a, err := e.send(call{method: "POST", path: "/api/v1/kiosk/sync", token: f.bearer, contentType: typeJSON, body: string(jsonOf(t, b))})
		if err != nil {
			t.Error(err)
		}
		sent <- a
	}()
	e.wait(func() bool { return e.engine.waiting.Load() > waiting })
	e.engine.hold(nil)
	e.engine.fail(nil)
	before := len(e.stored())
	close(gate)
	res := <-sent
	if res.status != http.StatusOK {
		t.Fatalf("%d %s", res.status, res.body)
	}
	a := f.read(b, res)
	if want := map[int64]kiosk.Outcome{2: kiosk.Stored, 4: kiosk.Stored, 6: kiosk.Quarantined}; !maps.Equal(f.outcomes, want) || !slices.Equal(a.Received, kiosk.Numbers{{2, 2}, {4, 4}, {6, 6}}) {
		t.Errorf("%v received, outcomes %v", a.Received, f.outcomes)
	}
	if n := len(e.stored()) - before; n != 2 || !strings.Contains(e.log.String(), "only every second one") {
		t.Errorf("%d stored, or the log does not say what failed", n)
	}
	f.send(b)
	want := map[int64]kiosk.Outcome{1: kiosk.Stored, 2: kiosk.Stored, 3: kiosk.Stored, 4: kiosk.Stored, 5: kiosk.Stored, 6: kiosk.Quarantined}
	if s := e.status(f.device); !maps.Equal(f.outcomes, want) || len(e.stored())-before != 5 || s.Clones != 0 || len(s.Missing) > 0 {
		t.Errorf("%v, %d stored, %+v", f.outcomes, len(e.stored())-before, s)
	}
}

// TestTabletForgets: what a kept backup has may be forgotten, as the tablet is told.
func TestTabletForgets(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	f.give(nil)
	f.give(nil)
	if a := f.sync(); len(a.Covered) > 0 {
		t.Errorf("%+v", a)
	}
	var covered coveredBackup
	_, err := store.ReadBackup(strings.NewReader(e.backup().body), testSecret(), func(frame store.BackupFrame) error {
		list, err := store.Covers(frame)
		covered.Covers = append(covered.Covers, list...)
		return err
	})
	if err != nil || len(covered.Covers) != 1 {
		t.Fatalf("%v, %+v", err, covered)
	}
	f.give(nil)
	f.sync()
	e.staff("POST", "/api/v1/kiosk/covered", store.RightBackup, covered, &struct{}{})
	if a := f.sync(); !slices.Equal(a.Covered, kiosk.Numbers{{1, 2}}) || !slices.Equal(a.Received, kiosk.Numbers{{1, 3}}) {
		t.Errorf("%+v", a)
	}
	for _, body := range []string{`{"covers":[{"device":"x","epoch":"y","received":[[2,1]]}]}`, `{"covers":[{"device":5}]}`, `[]`} {
		a := e.do(call{method: "POST", path: "/api/v1/kiosk/covered", token: e.tokens[store.RightBackup], contentType: typeJSON, body: body})
		if a.status < 400 || a.status >= 500 {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}

// TestTabletQueue: what a tablet gathered in weeks without network is taken in
// seconds.
func TestTabletQueue(t *testing.T) {
	waits(t)
	const limit = 10 * time.Second
	answers := ciOr(t, 15_000, 2000)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	var batches [][]byte
	for range answers / kiosk.MaxItems {
		for range kiosk.MaxItems {
			f.give(nil)
		}
		b := f.batch()
		b.Highest = int64(answers)
		batches, f.queue = append(batches, jsonOf(t, b)), nil
	}
	began, receipts := time.Now(), 0
	for _, body := range batches {
		a := e.do(call{method: "POST", path: "/api/v1/kiosk/sync", token: f.bearer, contentType: typeJSON, body: string(body)})
		var signed signedAnswer
		var told syncAnswer
		if err := errors.Join(json.Unmarshal([]byte(a.body), &signed), json.Unmarshal([]byte(signed.Answer), &told)); err != nil {
			t.Fatalf("%v: %d %s", err, a.status, a.body)
		}
		receipts += len(told.Receipts)
	}
	took := time.Since(began)
	t.Logf("%d answers in %v", answers, took)
	if most := limit * raceFactor(); took > most {
		t.Errorf("%v, want at most %v", took, most)
	}
	live, _, err := e.store.CountResponses(context.Background())
	if s := e.status(f.device); receipts != answers || live != int64(answers) || err != nil || len(s.Missing) > 0 || s.Given != int64(answers) || s.Queue != 0 {
		t.Errorf("%d receipts, %d stored, %v, %+v", receipts, live, err, s)
	}
}

// raceFactor is how much more time the race detector may take.
func raceFactor() time.Duration {
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		return 3
	}
	return 1
}

// TestTabletClockOfServer: a server whose clock is far behind takes nothing: the answers
// would have wrong times for ever.
func TestTabletClockOfServer(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	f.give(nil)
	f.sync()
	f.give(nil)
	e.clock.after.Add(-int64(25 * time.Hour))
	f.slow = -25 * time.Hour // the tablet's clock goes on as before
	a := f.e.do(call{method: "POST", path: "/api/v1/kiosk/sync", contentType: typeJSON, token: f.bearer, body: string(jsonOf(t, f.batch()))})
	if a.status != http.StatusServiceUnavailable || len(e.stored()) != 1 || len(e.quarantine()) != 0 {
		t.Errorf("%d %s; %d stored, %d in quarantine", a.status, a.body, len(e.stored()), len(e.quarantine()))
	}
	e.clock.after.Add(int64(25 * time.Hour))
	f.slow = 0
	f.sync()
	if n := len(e.stored()); n != 2 {
		t.Errorf("%d answers stored, want 2", n)
	}
	// One that was far ahead once, and is right again, takes everything.
	e.clock.after.Add(int64(400 * 24 * time.Hour))
	f.slow = 400 * 24 * time.Hour
	f.sync()
	e.clock.after.Add(-int64(400 * 24 * time.Hour))
	f.slow = 0
	f.give(nil)
	f.sync()
	if n := len(e.stored()); n != 3 {
		t.Errorf("%d answers stored, want 3", n)
	}
}

// TestQuarantineReason: what a tablet writes moves nothing about in a terminal.
func TestQuarantineReason(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	f.give(func(m map[string]any) { m["answers"] = map[string]any{"\x1b]0;x\x07\nQ\u202e": 1} })
	f.sync()
	list := e.quarantine()
	if len(list) != 1 || strings.ContainsFunc(list[0].Reason, kiosk.Unprintable) {
		t.Errorf("%+v", list)
	}
}
