package web

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sipas/api/store"
	"sipas/kiosk"
	"sipas/survey"
)

// TestEnrol: a code pairs one tablet, once, within ten minutes, however it is typed.
func TestEnrol(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	made := e.addTablet("Sảnh", testDesk)
	if made.Device.Desk != testDesk || made.Device.Name != "Sảnh" || made.Address != publicURL+"/kiosk#"+made.Code || !made.Until.Equal(testNow().Add(10*time.Minute)) ||
		!slices.Equal(made.Device.States, []string{kiosk.StateUnpaired}) || made.Device.LastContact != nil {
		t.Errorf("%+v", made)
	}
	f, other := e.newTablet(), e.newTablet()
	refused := func(what string, f *fakeTablet, code string) {
		t.Helper()
		if a := f.enrol(code); a.status != http.StatusNotFound || a.errorOf(t).Code != codePairing || strings.Contains(a.body, made.Device.ID) {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	changed := "A" + made.Code[1:]
	if changed == made.Code {
		changed = "B" + made.Code[1:]
	}
	for what, code := range map[string]string{"nothing": "", "a short one": made.Code[:5], "a wrong one": "0000-00000", "a wrong character": changed, "a long one": strings.Repeat("A", 5000)} {
		refused(what, f, code)
	}
	enrol := func(code, key string) answer {
		return e.do(call{method: "POST", path: "/api/v1/kiosk/enrol", contentType: typeJSON, body: string(jsonOf(t, enrolment{code, key}))})
	}
	for _, key := range []string{"", "x", strings.Repeat("g", 64), hex.EncodeToString(f.hash)[2:]} {
		if a := enrol(made.Code, key); a.status != http.StatusUnprocessableEntity || len(a.errorOf(t).Fields) != 1 || a.errorOf(t).Fields[0].Field != "key_sha256" {
			t.Errorf("key %q: %d %s", key, a.status, a.body)
		}
	}
	plain := strings.ReplaceAll(made.Code, "-", "")
	f.pair(" " + strings.ToLower(plain[:3]) + " - " + strings.NewReplacer("0", "o", "1", "l").Replace(plain[3:]) + " ")
	if f.device != made.Device.ID || f.desk != testDesk {
		t.Errorf("%s at %s", f.device, f.desk)
	}
	e.clock.pass(9*time.Minute + 59*time.Second)
	f.pair(made.Code) // the answer was lost on the way
	refused("another tablet", other, made.Code)
	if a := f.sync(); a.Name != "Sảnh" {
		t.Errorf("%+v", a)
	}
	e.clock.pass(time.Second)
	refused("over", f, made.Code)

	second := e.addTablet("Sân", "Q2")
	refused("a key of another tablet", f, second.Code)
	e.clock.pass(10 * time.Minute)
	refused("after ten minutes", other, second.Code)
	var again PairedDevice
	e.staff("POST", "/api/v1/devices/"+second.Device.ID+"/pairing", store.RightStaff, nil, &again)
	refused("an older code", other, second.Code)
	// The hash may be written in capitals.
	if a := enrol(again.Code, strings.ToUpper(hex.EncodeToString(other.hash))); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := other.get("/api/v1/kiosk/bundle"); a.status != http.StatusOK {
		t.Errorf("paired by a hash in capitals: %d %s", a.status, a.body)
	}
	for _, code := range []string{made.Code, plain, again.Code} {
		if strings.Contains(e.log.String(), code) {
			t.Errorf("the log has the code %s", code)
		}
	}
}

// TestEnrolLimited: nobody tries codes without end.
func TestEnrolLimited(t *testing.T) {
	e := startTablets(t, options{})
	f, made := e.newTablet(), e.addTablet("Sảnh", testDesk)
	from := func(address, code string) answer {
		return e.do(call{method: "POST", path: "/api/v1/kiosk/enrol", contentType: typeJSON, header: map[string]string{"X-Forwarded-For": address},
			body: string(jsonOf(t, enrolment{code, hex.EncodeToString(f.hash)}))})
	}
	for n := range limitBurst {
		if a := from("203.0.113.5", fmt.Sprintf("%09d", n)); a.status != http.StatusNotFound {
			t.Fatalf("after %d: %d %s", n, a.status, a.body)
		}
	}
	if a := from("203.0.113.5", made.Code); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := from("203.0.113.6", made.Code); a.status != http.StatusOK {
		t.Errorf("another address: %d %s", a.status, a.body)
	}
}

// TestPairAgain: a tablet that was wiped comes back under its id with a new key; the
// old one opens nothing any more.
func TestPairAgain(t *testing.T) {
	e := startTablets(t, options{})
	old := e.paired(testDesk)
	old.give(nil)
	file, items := old.export(), slices.Clone(old.queue)
	var d DeviceStatus
	e.staff("POST", "/api/v1/devices/"+old.device+"/revoke", store.RightStaff, nil, &d)
	var p PairedDevice
	e.staff("POST", "/api/v1/devices/"+old.device+"/pairing", store.RightStaff, nil, &p)
	f := e.newTablet()
	f.pair(p.Code)
	if s := e.status(old.device); f.device != old.device || s.Revoked != nil {
		t.Errorf("%s in place of %s: %+v", f.device, old.device, s)
	}
	if a := old.post(old.batch()); a.status != http.StatusUnauthorized {
		t.Errorf("the old key: %d %s", a.status, a.body)
	}
	f.give(nil)
	f.sync()
	// What was exported under the old key is still its own.
	out := e.export(file)
	if out.Stored != 1 {
		t.Errorf("%+v", out)
	}
	if old.prove(items, out.Receipts); len(old.queue) != 0 {
		t.Errorf("%d answers wait", len(old.queue))
	}
	if n := len(e.stored()); n != 2 {
		t.Errorf("%d answers stored", n)
	}
}

// TestRevokedTwice: revoking ends a pairing that was begun since.
func TestRevokedTwice(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	var p PairedDevice
	var first, again DeviceStatus
	e.staff("POST", "/api/v1/devices/"+f.device+"/revoke", store.RightStaff, nil, &first)
	e.clock.pass(time.Minute)
	e.staff("POST", "/api/v1/devices/"+f.device+"/pairing", store.RightStaff, nil, &p)
	e.staff("POST", "/api/v1/devices/"+f.device+"/revoke", store.RightStaff, nil, &again)
	if a := e.newTablet().enrol(p.Code); a.status != http.StatusNotFound || !again.Revoked.Equal(*first.Revoked) {
		t.Errorf("a code of a revoked tablet: %d %s, revoked at %v, first %v", a.status, a.body, again.Revoked, first.Revoked)
	}
}

// TestDeviceWriteOff: what staff wrote off is no state until there is more of it; it is
// counted, and is taken when it comes after all.
func TestDeviceWriteOff(t *testing.T) {
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	writeOff := func() (d DeviceStatus) {
		t.Helper()
		e.staff("POST", "/api/v1/devices/"+f.device+"/writeoff", store.RightStaff, nil, &d)
		return d
	}
	wrote := func(d DeviceStatus, answers, clones int64, at time.Time, states ...string) {
		t.Helper()
		if d.WrittenOff != answers || d.WrittenOffClones != clones || !slices.Equal(d.States, states) || (d.WrittenOffAt == nil) != at.IsZero() || d.WrittenOffAt != nil && !d.WrittenOffAt.Equal(at.Truncate(time.Minute)) {
			t.Errorf("want %d, %d at %v, %v: %+v", answers, clones, at, states, d)
		}
	}
	wrote(writeOff(), 0, 0, time.Time{}, kiosk.StateUnpaired)
	for range 5 {
		f.give(nil)
	}
	file := f.export()
	clone := *f
	clone.given, clone.outcomes, clone.codes, clone.queue, clone.highest = map[int64]kiosk.Sealed{}, map[int64]kiosk.Outcome{}, map[int64]string{}, nil, 0
	clone.give(nil) // another answer under number 1
	f.queue = append(clone.queue, f.queue[0])
	f.sync() // of five answers four are lost
	wrote(e.status(f.device), 0, 0, time.Time{}, kiosk.StateCloned, kiosk.StateMissing)

	first := e.clock.now()
	d := writeOff()
	wrote(d, 4, 1, first, kiosk.StateFine)
	if len(d.Missing) != 0 || d.Unaccounted != 0 || d.Clones != 0 || d.Given != 5 {
		t.Errorf("%+v", d)
	}
	e.clock.pass(time.Hour)
	wrote(writeOff(), 4, 1, first, kiosk.StateFine) // of nothing new
	f.give(nil)
	f.queue = nil
	f.sync()
	d = e.status(f.device)
	if wrote(d, 4, 1, first, kiosk.StateMissing); !slices.Equal(d.Missing, kiosk.Numbers{{6, 6}}) {
		t.Errorf("%+v", d)
	}
	if out := e.export(file); out.Stored != 5 {
		t.Errorf("%+v", out)
	}
	if wrote(e.status(f.device), 0, 1, first, kiosk.StateMissing); len(e.stored()) != 6 {
		t.Errorf("%d answers stored", len(e.stored()))
	}
	wrote(writeOff(), 1, 1, e.clock.now(), kiosk.StateFine)
}

// TestDeviceRefused: what cannot be is said by field, and changes nothing.
func TestDeviceRefused(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	id := e.paired(testDesk).device
	for _, c := range []struct {
		path, body, field string
		status            int
	}{
		{"", `{"name":"","desk":"Q1"}`, "name", 422}, {"", `{"name":"a","desk":"NOPE"}`, "desk", 422}, {"", `{"name":"a"}`, "desk", 422}, {"", `[]`, "", 400}, {"", `{"name":5}`, "name", 422},
		{"/" + id, `{"name":" "}`, "name", 422}, {"/" + id, `{"desk":"NOPE"}`, "desk", 422}, {"/" + id, `{"message":"` + strings.Repeat("ạ", 301) + `"}`, "message", 422},
		{"/NONE", `{"name":"a"}`, "", 404}, {"/NONE/revoke", "", "", 404}, {"/NONE/pairing", "", "", 404}, {"/NONE/writeoff", "", "", 404},
	} {
		a := e.do(call{method: "POST", path: "/api/v1/devices" + c.path, token: e.tokens[store.RightStaff], contentType: typeJSON, body: c.body})
		if a.status != c.status || c.field != "" && (len(a.errorOf(t).Fields) != 1 || a.errorOf(t).Fields[0].Field != c.field) {
			t.Errorf("%s %s: %d %s", c.path, c.body, a.status, a.body)
		}
	}
	if known, err := e.store.Contacts(t.Context()); err != nil || len(known) > 1 {
		t.Errorf("%+v, %v", known, err)
	}
	var list deviceList
	e.staff("GET", "/api/v1/devices", store.RightStaff, nil, &list)
	if len(list.Devices) != 1 || list.Devices[0].Name != "Máy Q1" || list.Devices[0].Desk != testDesk || list.Devices[0].Message != "" {
		t.Errorf("%+v", list)
	}
	if d := e.change(id, map[string]any{"name": " Sảnh ", "message": "Hết giấy", "comments": true}); d.Name != "Sảnh" || d.Message != "Hết giấy" || !d.Comments || d.Desk != testDesk {
		t.Errorf("%+v", d)
	}
	if d := e.change(id, map[string]any{"message": ""}); d.Name != "Sảnh" || d.Message != "" || !d.Comments {
		t.Errorf("%+v", d)
	}
}

// newDesk adds a desk whose unit takes no part in the round.
func newDesk(d *survey.Documents) {
	d.Desks = append(d.Desks, survey.Desk{ID: "NEW", Unit: "u4", Name: d.Desks[0].Name, Fields: []string{"land"}})
}

// withNewDesk mends what keeps answers of that desk out.
func withNewDesk(d *survey.Documents) { openRound(d).Units = []string{"u1", "u4"} }

// TestQuarantineAPI: staff see what is wrong and never what somebody answered; when
// it is mended, the answers are taken.
func TestQuarantineAPI(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	e.mend(newDesk)
	f := e.paired("NEW")
	const comment = "một điều rất riêng"
	edit := func(m map[string]any) {
		m["comment"], m["profile"], m["answers"] = comment, map[string]string{"age": "25-34"}, map[string]any{"c01": 2, "c02": 5}
	}
	f.give(edit)
	f.give(edit)
	f.give(func(m map[string]any) { edit(m); m["answers"] = map[string]any{"c01": 9, "c02": comment} })
	f.give(func(m map[string]any) { edit(m); m["comment"] = 1717171 })
	f.give(func(m map[string]any) { edit(m); m["seconds"], m["field"] = 1e300, comment })
	garbage := f.put([]byte("garbage"))
	e.clock.pass(2 * time.Hour)
	b := f.batch()
	f.send(b)
	page := e.do(call{path: "/api/v1/quarantine", token: e.tokens[store.RightStaff]})
	list := e.quarantine()
	if len(list) != 6 || f.outcomes[garbage] != kiosk.Quarantined {
		t.Fatalf("%s", page.body)
	}
	for _, q := range list {
		if q.Device != f.device || q.Received != "2026-11-24T05" || q.Reason == "" || len(q.ID) != 32 {
			t.Errorf("%+v", q)
		}
	}
	for _, text := range []string{comment, "25-34", "1717171", "sealed", b.Epoch, string(f.codes[1])} {
		if strings.Contains(page.body, text) || strings.Contains(e.log.String(), text) {
			t.Errorf("the page or the log has %q: %s", text, page.body)
		}
	}
	if !strings.Contains(page.body, "desk: "+string(survey.CodeRoundUnit)) || !strings.Contains(page.body, string(survey.CodeLevelRange)) {
		t.Errorf("no reason: %s", page.body)
	}
	if r := e.retry(); r != (retried{Left: 6}) || len(e.stored()) != 0 {
		t.Errorf("nothing was mended: %+v", r)
	}
	e.mend(withNewDesk)
	e.clock.pass(24 * time.Hour)
	if r := e.retry(); r != (retried{Taken: 2, Left: 4}) {
		t.Errorf("%+v", r)
	}
	if r := e.retry(); r != (retried{Left: 4}) {
		t.Errorf("a second time: %+v", r)
	}
	stored := e.stored()
	if len(stored) != 2 || len(e.quarantine()) != 4 {
		t.Fatalf("%d stored", len(stored))
	}
	for _, r := range stored {
		if r.Comment != comment || r.Desk != "NEW" || r.Channel != survey.ChannelKiosk || !r.Answered.Equal(survey.Hour(testNow())) || !r.Received.Equal(survey.Hour(testNow().Add(26*time.Hour))) {
			t.Errorf("%+v", r)
		}
	}
	// The tablet did not hear of it, and sends all of it again.
	f.send(b)
	if s := e.status(f.device); len(e.stored()) != 2 || len(e.quarantine()) != 4 || s.Clones != 0 {
		t.Errorf("sent again: %+v", s)
	}
	// Its giver withdraws it as any other.
	if a := e.do(call{method: "POST", path: "/r", contentType: typeForm, body: "code=" + f.codes[1]}); a.status != http.StatusOK || len(e.stored()) != 1 {
		t.Errorf("%d, %d stored", a.status, len(e.stored()))
	}
}

// TestQuarantineMended: an answer from the quarantine that its tablet sends again
// after staff mended what was wrong is the same answer, and no second one.
func TestQuarantineMended(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	e.mend(newDesk)
	f := e.paired("NEW")
	f.give(nil)
	b := f.batch()
	f.send(b)
	e.mend(withNewDesk)
	f.send(b)
	if s := e.status(f.device); s.Clones != 0 || len(e.stored()) != 1 || f.outcomes[1] != kiosk.Stored {
		t.Errorf("%+v, %d stored", s, len(e.stored()))
	}
	if r := e.retry(); r.Left != 0 || len(e.stored()) != 1 || len(e.quarantine()) != 0 {
		t.Errorf("%+v, %d stored", r, len(e.stored()))
	}
}

// TestQuarantineNotOfStored: an answer that is stored does not come into quarantine
// when its tablet sends it again and the documents would not take it any more.
func TestQuarantineNotOfStored(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	e.mend(newDesk)
	e.mend(withNewDesk)
	f := e.paired("NEW")
	f.give(nil)
	f.give(nil)
	b := f.batch()
	b.Items = b.Items[:1]
	f.send(b)
	check := func(what string) {
		t.Helper()
		f.send(b)
		if s := e.status(f.device); f.outcomes[1] != kiosk.Stored || len(e.stored()) != 1 || len(e.quarantine()) != 0 || s.Clones != 0 {
			t.Errorf("%s: %v, %d stored, %d in quarantine, %+v", what, f.outcomes, len(e.stored()), len(e.quarantine()), s)
		}
	}
	e.mend(func(d *survey.Documents) {
		for i := range d.Desks {
			if d.Desks[i].ID == "NEW" {
				d.Desks[i].Fields = []string{"land", "civil"}
			}
		}
	})
	check("the desk has more fields")
	e.mend(func(d *survey.Documents) { openRound(d).Units = []string{"u1"} })
	check("its unit left the round")
	f.sync()
	if f.outcomes[2] != kiosk.Quarantined || len(e.quarantine()) != 1 {
		t.Errorf("one that was not stored: %v", f.outcomes)
	}
}

// TestQuarantineList: 500 at a time; what is of a tablet that is not there stays.
func TestQuarantineList(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	list := make([]store.Quarantined, 501)
	for i := range list {
		list[i] = store.Quarantined{Device: "GONE", Reason: "desk: desk_unknown", Answered: testNow(), Received: testNow(), Sealed: fmt.Append(nil, "sealed", i)}
	}
	if _, err := e.store.Quarantine(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var pages []int
	for after, more := "", true; more; {
		var page quarantineList
		e.staff("GET", "/api/v1/quarantine?after="+after, store.RightStaff, nil, &page)
		pages = append(pages, len(page.Answers))
		for _, q := range page.Answers {
			seen[q.ID] = true
		}
		after, more = page.After, page.After != ""
	}
	if len(seen) != 501 || !slices.Equal(pages, []int{500, 1, 0}) {
		t.Errorf("pages %v with %d answers", pages, len(seen))
	}
	for _, after := range []string{"x", "abcd", strings.Repeat("g", 32), strings.Repeat("a", 31), strings.Repeat("a", 34)} {
		if a := e.staff("GET", "/api/v1/quarantine?after="+after, store.RightStaff, nil, nil); a.status != http.StatusUnprocessableEntity {
			t.Errorf("after %s: %d %s", after, a.status, a.body)
		}
	}
	if r := e.retry(); r != (retried{Left: 501}) {
		t.Errorf("%+v", r)
	}
	var all deviceList
	e.staff("GET", "/api/v1/devices", store.RightStaff, nil, &all)
	if all.Quarantined != 501 || len(all.Devices) != 0 {
		t.Errorf("%+v", all)
	}
}

// TestTabletExport: only a whole file that a tablet with the key wrote is taken.
func TestTabletExport(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f, other := e.paired(testDesk), e.paired("Q2")
	for range 3 {
		f.give(nil)
	}
	good := f.export()
	batch := jsonOf(t, f.batch())
	unsigned := jsonOf(t, map[string]string{"batch": string(batch), "mac": ""})
	file := func(device string, sealed []byte) []byte {
		return jsonOf(t, kiosk.Export{Format: 1, Device: device, Sealed: sealed})
	}
	asAnswer, err := kiosk.Seal(f.seal, unsigned)
	if err != nil {
		t.Fatal(err)
	}
	named := *f
	named.device = other.device
	for what, c := range map[string]struct {
		file []byte
		code survey.Code
	}{
		"no file": {[]byte("x"), codeExport}, "empty": {nil, codeExport}, "another format": {[]byte(strings.Replace(string(good), `"sipas_kiosk_export":1`, `"sipas_kiosk_export":2`, 1)), codeExport},
		"cut": {good[:len(good)-30], codeExport}, "altered": {[]byte(strings.Replace(string(good), `"sealed":"B`, `"sealed":"C`, 1)), codeExport},
		"no tablet": {file("NONE", f.sealExport(unsigned)), codeExport}, "unsigned": {file(f.device, f.sealExport(unsigned)), codeExport},
		"sealed as an answer": {file(f.device, asAnswer), codeExport}, "of another tablet": {named.exportOf(batch), codeExport},
		"signed, but no batch": {f.exportOf([]byte(`{"epoch":"x"}`)), codeBatch},
	} {
		if a := e.postExport(c.file); a.status != http.StatusUnprocessableEntity || a.errorOf(t).Code != c.code {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	if len(e.stored()) != 0 {
		t.Fatal("answers of a file that was refused are stored")
	}
	if strings.Contains(string(good), "epoch") {
		t.Error("whoever carries the file can read it")
	}
	if out := e.export(good); out.Stored != 3 || out.Device != f.device {
		t.Errorf("%+v", out)
	}
	// What a file says of the tablet is old, and no contact.
	if s := e.status(f.device); s.LastContact != nil {
		t.Errorf("%+v", s)
	}
	f.sync()
	if s := e.status(f.device); len(f.queue) != 0 || len(e.stored()) != 3 || s.Clones != 0 || len(s.Missing) > 0 || s.Given != 3 {
		t.Errorf("%d in the queue, %d stored, %+v", len(f.queue), len(e.stored()), s)
	}
}

// TestTabletExportLarge: a file may have more answers than a batch.
func TestTabletExportLarge(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	const n = 2*kiosk.MaxItems + 1
	for range n {
		f.give(nil)
	}
	e.clock.pass(time.Hour)
	file, items := f.export(), slices.Clone(f.queue)
	out := e.export(file)
	f.prove(items, out.Receipts)
	if out.Answers != n || out.Stored != n || len(f.queue) != 0 || len(e.stored()) != n {
		t.Errorf("%d of %d stored", out.Stored, out.Answers)
	}
	// Nobody proves the clock of a tablet that was never in contact.
	for _, r := range e.stored() {
		if r.Flags&survey.FlagClock == 0 || !r.Answered.Equal(survey.Hour(testNow())) {
			t.Fatalf("%+v", r)
		}
	}
}

// TestTabletExportOfAnEpochBefore: a file from before a tablet was wiped does not
// become what the tablet says now.
func TestTabletExportOfAnEpochBefore(t *testing.T) {
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	f.give(nil)
	file := f.export() // it was never in contact
	f.wipe()
	f.give(nil)
	f.sync()
	e.export(file)
	e.clock.pass(time.Hour)
	f.give(nil)
	f.give(nil)
	b := f.batch()
	b.Items, b.App = b.Items[:1], "newer"
	f.send(b)
	if s := e.status(f.device); s.App != "newer" || s.Queue != 1 || s.Given != 3 || s.Unaccounted != 0 || !s.LastContact.Equal(e.clock.now().Truncate(time.Minute)) {
		t.Errorf("%+v", s)
	}
}

// TestOpenAPITablets validates real requests and answers of tablets and of those who
// look after them.
func TestOpenAPITablets(t *testing.T) {
	waits(t)
	doc := document(t)
	e := startTablets(t, options{})
	made := e.addTablet("Sảnh", testDesk)
	f := e.newTablet()
	staff := e.tokens[store.RightStaff]
	pairing := call{method: "POST", path: "/api/v1/kiosk/enrol", contentType: typeJSON, body: string(jsonOf(t, enrolment{made.Code, hex.EncodeToString(f.hash)}))}
	checkAgainst(t, doc, pairing, e.do(pairing), false)
	f.pair(made.Code)
	f.give(nil)
	f.give(func(m map[string]any) { m["desk"] = "NOPE" })
	file, body := string(f.export()), string(jsonOf(t, f.batch()))
	covers := string(jsonOf(t, coveredBackup{[]store.Cover{{Device: f.device, Epoch: f.epoch, Received: kiosk.Numbers{{1, 1}}}}}))
	for _, c := range []struct {
		call
		status int
	}{
		{call{method: "POST", path: "/api/v1/kiosk/enrol", contentType: typeJSON, body: strings.Replace(pairing.body, made.Code, "0000-00000", 1)}, 404},
		{call{method: "POST", path: "/api/v1/kiosk/sync", token: f.bearer, contentType: typeJSON, body: body}, 200},
		{call{method: "POST", path: "/api/v1/kiosk/sync", token: f.bearer, contentType: typeJSON, body: "{}"}, 422},
		{call{path: "/api/v1/kiosk/bundle", token: f.bearer}, 200},
		{call{method: "POST", path: "/api/v1/kiosk/exports", token: staff, contentType: typeJSON, body: file}, 200},
		{call{method: "POST", path: "/api/v1/kiosk/exports", token: staff, contentType: typeJSON, body: "{}"}, 422},
		{call{method: "POST", path: "/api/v1/kiosk/covered", token: e.tokens[store.RightBackup], contentType: typeJSON, body: covers}, 200},
		{call{path: "/api/v1/devices", token: staff}, 200},
		{call{method: "POST", path: "/api/v1/devices", token: staff, contentType: typeJSON, body: `{"name":"Sân","desk":"Q2"}`}, 201},
		{call{method: "POST", path: "/api/v1/devices", token: staff, contentType: typeJSON, body: `{"name":"Sân","desk":"NOPE"}`}, 422},
		{call{method: "POST", path: "/api/v1/devices/" + f.device, token: staff, contentType: typeJSON, body: `{"message":"Xin chào"}`}, 200},
		{call{method: "POST", path: "/api/v1/devices/" + f.device + "/pairing", token: staff}, 200},
		{call{path: "/api/v1/quarantine", token: staff}, 200},
		{call{method: "POST", path: "/api/v1/quarantine/retry", token: staff}, 200},
		{call{method: "POST", path: "/api/v1/devices/" + f.device + "/revoke", token: staff}, 200},
		{call{path: "/api/v1/devices", token: staff}, 200},
		{call{path: "/api/v1/kiosk/bundle", token: f.bearer}, 403},
		{call{path: "/api/v1/kiosk/bundle", token: "no"}, 401},
	} {
		a := e.do(c.call)
		if a.status != c.status {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.status, a.body)
		}
		checkAgainst(t, doc, c.call, a, false)
	}
}
