package kiosk

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"sipas/survey"
)

const goodBatch = `{"turn":3,"nonce":"0123456789abcdef","epoch":"00112233445566778899aabbccddeeff","highest":5,"unsent":[[5,5],[4,4]],"kept":[[1,3]],
	"app":"1.0","bundle":"b","session":2,"mono":1000,"wall":1700000000000,"sessions":[{"n":2,"from":0,"to":1000,"wall":1699999999000}],
	"status":{"battery":0.5,"charging":true,"persisted":true,"used":1,"quota":2,"abandoned":3,"problem":"clock"},
	"items":[{"n":4,"sealed":"AAEC"},{"n":7,"sealed":"AA=="}]}`

// changed is goodBatch with some fields replaced; a value of nil takes a field away.
func changed(t testing.TB, fields map[string]any) []byte {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(goodBatch), &m); err != nil {
		t.Fatal(err)
	}
	maps.Copy(m, fields)
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestReadBatch(t *testing.T) {
	b, err := ReadBatch([]byte(goodBatch+" \n"), 2)
	if err != nil {
		t.Fatal(err)
	}
	half := 0.5
	want := &Batch{
		Turn: 3, Nonce: "0123456789abcdef", Epoch: "00112233445566778899aabbccddeeff", Unsent: Numbers{{4, 5}}, Kept: Numbers{{1, 3}},
		Highest: 7, // an answer has a number that was given out, whatever the tablet says
		App:     "1.0", Bundle: "b", Session: 2, Mono: 1000, Wall: 1700000000000, Sessions: []Session{{N: 2, To: 1000, Wall: 1699999999000}},
		Status: Status{Battery: &half, Charging: true, Persisted: true, Used: 1, Quota: 2, Abandoned: 3, Problem: "clock"},
		Items:  []Sealed{{4, []byte{0, 1, 2}}, {7, []byte{0}}},
	}
	if !reflect.DeepEqual(b, want) {
		t.Errorf("read %+v, want %+v", b, want)
	}
}

func TestReadBatchBounds(t *testing.T) {
	items := func(n int) (list []map[string]any) {
		for i := range n {
			list = append(list, map[string]any{"n": i + 1, "sealed": "AA=="})
		}
		return list
	}
	item := func(n int64, size int) []Sealed { return []Sealed{{n, make([]byte, size)}} }
	status := func(name string, v any) map[string]any { return map[string]any{"status": map[string]any{name: v}} }
	ranges := func(n int) (list [][2]int) {
		for i := range n {
			list = append(list, [2]int{2*i + 1, 2*i + 1})
		}
		return list
	}
	sessions := func(n int) []Session { return make([]Session, n) }
	long := strings.Repeat("x", 80)
	type fields = map[string]any
	for name, test := range map[string]struct {
		fields fields
		want   string // "" where it is taken
	}{
		"as it is":             {nil, ""},
		"no answers, no words": {fields{"items": nil, "app": nil, "bundle": nil, "status": nil, "sessions": nil, "unsent": nil, "kept": nil}, ""},
		"no epoch":             {fields{"epoch": nil}, "epoch"},
		"short epoch":          {fields{"epoch": "00112233445566778899aabbccddee"}, "epoch"},
		"long epoch":           {fields{"epoch": "00112233445566778899aabbccddeeff00"}, "epoch"},
		"odd epoch":            {fields{"epoch": "00112233445566778899aabbccddeef"}, "epoch"},
		"epoch is no number":   {fields{"epoch": "00112233445566778899aabbccddeefg"}, "epoch"},
		"turn 0":               {fields{"turn": 0}, ""},
		"last turn":            {fields{"turn": MaxNumber}, ""},
		"turn too high":        {fields{"turn": MaxNumber + 1}, "turn"},
		"negative turn":        {fields{"turn": -1}, "turn"},
		"no nonce":             {fields{"nonce": nil}, "nonce"},
		"short nonce":          {fields{"nonce": "0123456789abcde"}, "nonce"},
		"nonce of 80":          {fields{"nonce": long}, ""},
		"long nonce":           {fields{"nonce": long + "x"}, "nonce"},
		"nothing given out":    {fields{"highest": 0, "items": nil}, ""},
		"negative highest":     {fields{"highest": -1}, "highest"},
		"highest of all":       {fields{"highest": MaxNumber}, ""},
		"highest too high":     {fields{"highest": MaxNumber + 1}, "highest"},
		"long texts":           {fields{"app": long, "bundle": long, "status": fields{"problem": long}}, ""},
		"app too long":         {fields{"app": long + "x"}, "a text is too long"},
		"bundle too long":      {fields{"bundle": long + "x"}, "a text is too long"},
		"problem too long":     {status("problem", long+"x"), "a text is too long"},
		"battery empty":        {status("battery", 0), ""},
		"battery full":         {status("battery", 1), ""},
		"battery not told":     {fields{"status": json.RawMessage(`{"battery":null}`)}, ""},
		"battery below":        {status("battery", -0.01), "battery"},
		"battery above":        {status("battery", 1.01), "battery"},
		"battery in percent":   {status("battery", "50%"), "battery"},
		"negative used":        {status("used", -1), "status"},
		"negative quota":       {status("quota", -1), "status"},
		"negative room":        {status("room", -1), "status"},
		"no room":              {status("room", 0), ""},
		"room not told":        {fields{"status": json.RawMessage(`{"room":null}`)}, ""},
		"negative abandoned":   {status("abandoned", -1), "status"},
		"as many as may be":    {fields{"items": items(5)}, ""},
		"too many answers":     {fields{"items": items(6)}, "too many answers"},
		"sessions":             {fields{"sessions": sessions(maxSessions)}, ""},
		"too many sessions":    {fields{"sessions": sessions(maxSessions + 1)}, "too many sessions"},
		"ranges":               {fields{"unsent": ranges(maxRanges), "kept": ranges(maxRanges)}, ""},
		"too many unsent":      {fields{"unsent": ranges(maxRanges + 1)}, "numbers"},
		"too many kept":        {fields{"kept": ranges(maxRanges + 1)}, "numbers"},
		"unsent 0":             {fields{"unsent": [][2]int{{0, 1}}}, "numbers"},
		"kept too high":        {fields{"kept": [][2]int64{{1, MaxNumber + 1}}}, "numbers"},
		"answer 0":             {fields{"items": item(0, 1)}, "answer 1 of 1"},
		"negative answer":      {fields{"items": item(-1, 1)}, "answer 1 of 1"},
		"the last number":      {fields{"items": item(MaxNumber, 1)}, ""},
		"a number too high":    {fields{"items": item(MaxNumber+1, 1)}, "answer 1 of 1"},
		"an empty answer":      {fields{"items": item(1, 0)}, "answer 1 of 1"},
		"a large answer":       {fields{"items": item(1, maxSealed)}, ""},
		"an answer too large":  {fields{"items": item(1, maxSealed+1)}, "answer 1 of 1"},
		"an answer of nothing": {fields{"items": []any{json.RawMessage("null")}}, "answer 1 of 1"},
		"no base64":            {fields{"items": []any{fields{"n": 1, "sealed": "*"}}}, "base64"},
		"turn is a text":       {fields{"turn": "3"}, "turn"},
		"turn is broken":       {fields{"turn": 1.5}, "turn"},
	} {
		t.Run(name, func(t *testing.T) {
			text := changed(t, test.fields)
			b, err := ReadBatch(text, 5)
			if test.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if b != nil || !errors.Is(err, ErrBatch) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, %v, want %s", b, err, test.want)
			}
		})
	}
	for name, text := range map[string]string{
		"nothing": "", "null": "null", "a list": "[]", "a number": "7", "cut": goodBatch[:len(goodBatch)-1], "two": goodBatch + goodBatch,
		"a brace more": goodBatch + "}", "a bracket and more": goodBatch + "] and more", "not UTF-8": strings.Replace(goodBatch, "1.0", "\xff", 1),
	} {
		if b, err := ReadBatch([]byte(text), 5); b != nil || !errors.Is(err, ErrBatch) {
			t.Errorf("%s: got %v, %v", name, b, err)
		}
	}
}

// goodItem is an answer of session 4 to round r1 at a desk, half an hour before noon.
func goodItem(t testing.TB, desk string) Item {
	t.Helper()
	id, err := survey.NewID(noon, randomOf(7))
	if err != nil {
		t.Fatal(err)
	}
	return Item{
		Submission: survey.Submission{ID: id.String(), Round: "r1", Desk: desk, Instrument: "small", Version: 1, Answers: map[string]survey.Answer{"c01": '5', "c02": '4', "c03": survey.NotApplicable}},
		Receipt:    hex.EncodeToString(secret(3)), Session: 4, Mono: 600_000, Wall: 90_600_000,
	}
}

// sealedItem seals an item as a tablet does.
func sealedItem(t testing.TB, public []byte, item any) []byte {
	t.Helper()
	text, err := json.Marshal(item)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := Seal(public, text)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// testBatch is of a tablet that sends at noon, its clock in 1970, in session 4, which
// began forty minutes before; session 3 was a day earlier.
func testBatch(sealed ...[]byte) *Batch {
	b := &Batch{
		Epoch: epochOf(1), Session: 4, Mono: 2_400_000, Wall: 92_400_000,
		Sessions: []Session{{N: 3, From: 0, To: 1_200_000, Wall: 3_600_000}, {N: 4, From: 0, To: 2_000_000, Wall: 90_000_000}},
	}
	for i, s := range sealed {
		b.Items = append(b.Items, Sealed{int64(i) + 10, s})
	}
	return b
}

func TestOpen(t *testing.T) {
	key := testKey(t, 1)
	born := noon.AddDate(0, 0, -7)
	ms := noon.Truncate(time.Millisecond)
	edit := func(change func(*Item)) []byte {
		it := goodItem(t, "AAAAA0")
		change(&it)
		return sealedItem(t, key.Public(), it)
	}
	export, err := seal(key.Public(), sealExport, []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		sealed []byte
		at     time.Time
		unsure bool
		want   string // of the error
	}{
		"good":                     {edit(func(*Item) {}), ms.Add(-30 * time.Minute), false, ""},
		"of a session before":      {edit(func(it *Item) { it.Session, it.Mono = 3, 60_000 }), ms.Add(-24*time.Hour - 39*time.Minute), true, ""},
		"of a session not told of": {edit(func(it *Item) { it.Session, it.Wall = 9, ms.Add(-time.Hour).UnixMilli() }), ms.Add(-time.Hour), true, ""},
		"of before the tablet":     {edit(func(it *Item) { it.Session, it.Wall = 9, 0 }), born, true, ""},
		"after now":                {edit(func(it *Item) { it.Mono = 99_000_000 }), ms, true, ""},
		"sealed to another key":    {sealedItem(t, testKey(t, 2).Public(), goodItem(t, "AAAAA0")), ms, true, "cannot be opened"},
		"an export":                {export, ms, true, "cannot be opened"},
		"not sealed":               {[]byte("hello"), ms, true, "cannot be opened"},
		"no answer":                {sealedItem(t, key.Public(), []int{1}), ms, true, "it is no answer"},
		"version is a text":        {sealedItem(t, key.Public(), map[string]any{"version": "1", "session": 4}), ms, true, "it is no answer"},
		"no receipt":               {edit(func(it *Item) { it.Receipt = "" }), ms, true, "receipt"},
		"a short receipt":          {edit(func(it *Item) { it.Receipt = "00" }), ms, true, "receipt"},
		"a receipt of letters":     {edit(func(it *Item) { it.Receipt = strings.Repeat("xy", 32) }), ms, true, "receipt"},
	} {
		t.Run(name, func(t *testing.T) {
			b := testBatch(edit(func(*Item) {}), test.sealed)
			b.Sessions = append(b.Sessions, Session{N: 0, Anchor: &Anchor{0, born.UnixMilli()}}) // what cannot be read is not of it
			b.Arrives(noon)
			list := b.Open(key, born, noon)
			if len(list) != 2 || list[0].N != 10 || list[0].Err != nil || !list[0].At.Equal(ms.Add(-30*time.Minute)) {
				t.Fatalf("the other answer: %+v", list)
			}
			a := list[1]
			if a.N != 11 || !bytes.Equal(a.Sealed, test.sealed) || a.Digest != Digest(test.sealed) {
				t.Errorf("arrived as %+v", a)
			}
			if test.want == "" != (a.Err == nil) || a.Err != nil && !strings.Contains(a.Err.Error(), test.want) {
				t.Errorf("err = %v, want %q", a.Err, test.want)
			}
			if a.Err == nil && (!bytes.Equal(a.Receipt, secret(3)) || a.Item.Desk != "AAAAA0" || a.Item.Answers["c02"] != '4') {
				t.Errorf("read as %+v", a)
			}
			if !a.At.Equal(test.at) || a.At.Location() != time.UTC || a.Unsure != test.unsure {
				t.Errorf("at %v, unsure %v, want %v, %v", a.At, a.Unsure, test.at, test.unsure)
			}
			again := Reopen(key, test.sealed)
			if (again.Err == nil) != (a.Err == nil) || !reflect.DeepEqual(again.Item, a.Item) || !bytes.Equal(again.Receipt, a.Receipt) || again.Digest != a.Digest {
				t.Errorf("opened again: %+v", again)
			}
		})
	}
	// What was written into a file came at no moment.
	list := testBatch(edit(func(*Item) {})).Open(key, born, noon)
	if !list[0].Unsure || list[0].At.Before(born) || list[0].At.After(noon) {
		t.Errorf("from a file: at %v, unsure %v", list[0].At, list[0].Unsure)
	}
}

func TestAccept(t *testing.T) {
	key, c := testKey(t, 1), testCatalogue(t, testDocuments())
	for name, test := range map[string]struct {
		item   func(*Item)
		device func(*Device)
		change func(*Arrival)
		want   string // the fields that are wrong, or "" and the desk
		flags  survey.Flags
	}{
		"good":                  {nil, nil, nil, "AAAAA0", 0},
		"unsure":                {nil, nil, func(a *Arrival) { a.Unsure = true }, "AAAAA0", survey.FlagClock},
		"too fast and unsure":   {func(it *Item) { it.Seconds = 0.5 }, nil, func(a *Arrival) { a.Unsure = true }, "AAAAA0", survey.FlagClock | survey.FlagSpeeding},
		"at night":              {nil, nil, func(a *Arrival) { a.At = at("2026-11-16 02:00:00") }, "AAAAA0", survey.FlagOutsideHours},
		"moved since":           {nil, func(d *Device) { d.Move("BBBBB0", noon) }, nil, "AAAAA0", 0},
		"after it moved":        {func(it *Item) { it.Desk, it.Field = "BBBBB0", "civil" }, func(d *Device) { d.Move("BBBBB0", noon) }, nil, "BBBBB0", 0},
		"never stood there":     {func(it *Item) { it.Desk = "BBBBB0" }, nil, nil, "desk desk_unknown", 0},
		"no desk":               {func(it *Item) { it.Desk = "" }, nil, nil, "desk desk_unknown", 0},
		"desk is no more":       {func(it *Item) { it.Desk = "DDDDD0" }, func(d *Device) { d.Move("DDDDD0", noon) }, nil, "desk desk_closed", 0},
		"desk was then":         {func(it *Item) { it.Desk = "DDDDD0" }, func(d *Device) { d.Move("DDDDD0", noon) }, func(a *Arrival) { a.At = at("2026-11-15 10:00:00") }, "DDDDD0", 0},
		"round of another unit": {func(it *Item) { it.Desk = "CCCCC0" }, func(d *Device) { d.Move("CCCCC0", noon) }, nil, "desk round_without_unit", 0},
		"round was not yet":     {nil, nil, func(a *Arrival) { a.At = at("2026-10-31 10:00:00") }, "answered answered_outside_round", 0},
		"unknown item":          {func(it *Item) { it.Answers["c99"] = '5' }, nil, nil, "answers.c99 item_unknown", 0},
		"revoked since":         {nil, func(d *Device) { d.Revoke(noon) }, nil, "AAAAA0", 0},
		"cannot be read":        {func(it *Item) { it.Receipt = "" }, nil, nil, "its receipt is no hash", 0},
	} {
		t.Run(name, func(t *testing.T) {
			it, d := goodItem(t, "AAAAA0"), testDevice(t)
			if test.item != nil {
				test.item(&it)
			}
			if test.device != nil {
				test.device(&d)
			}
			b := testBatch(sealedItem(t, key.Public(), it))
			b.Arrives(noon)
			a := b.Open(key, noon.AddDate(0, 0, -30), noon)[0]
			if test.change != nil {
				test.change(&a)
			}
			r, err := a.Accept(c, &d, noon)
			if err != nil {
				if got := fields(err); got != test.want || r.ID != (survey.ID{}) {
					t.Errorf("got %s, %+v, want %s", got, r, test.want)
				}
				return
			}
			if r.Desk != test.want || r.Unit != "u1" || r.Channel != survey.ChannelKiosk || r.Door != survey.DoorOpen || r.ID.String() != it.ID || r.Answers != "54n" {
				t.Errorf("response %+v, want one of desk %s", r, test.want)
			}
			if !bytes.Equal(r.Receipt, secret(3)) || !r.Answered.Equal(survey.Hour(a.At)) || !r.Received.Equal(survey.Hour(noon)) || r.Flags != test.flags {
				t.Errorf("receipt %x, answered %v, received %v, flags %v", r.Receipt, r.Answered, r.Received, r.Flags.Names())
			}
		})
	}
}

// TestBegun: an answer was begun as many seconds before as it took, by the repaired time of
// the tablet; where its round ended in between it counts then. From the quarantine, which
// knows the hour alone, nothing is told of it.
func TestBegun(t *testing.T) {
	key, c := testKey(t, 1), testCatalogue(t, testDocuments())
	end := c.Rounds["r1"].Last.AddDays(1).Start()
	for name, test := range map[string]struct {
		seconds float64
		after   time.Duration // after the end of the round
		begun   time.Duration // likewise
		known   bool
		counted time.Duration
	}{
		"in the round":      {30, -time.Hour, -time.Hour - 30*time.Second, true, -time.Hour},
		"over its end":      {29.5, 4 * time.Second, -25500 * time.Millisecond, true, -25500 * time.Millisecond},
		"after its end":     {3, 4 * time.Second, time.Second, true, 4 * time.Second},
		"half an hour late": {1801, 30 * time.Minute, -time.Second, true, -time.Second},
		"later":             {1802, 30*time.Minute + time.Millisecond, -1999 * time.Millisecond, true, 30*time.Minute + time.Millisecond},
		"not told":          {0, 4 * time.Second, 4 * time.Second, true, 4 * time.Second},
		"impossible":        {-30, 4 * time.Second, 0, false, 4 * time.Second},
		"too long":          {86401, 4 * time.Second, 0, false, 4 * time.Second},
	} {
		it := goodItem(t, "AAAAA0")
		it.Seconds = test.seconds
		b := testBatch(sealedItem(t, key.Public(), it))
		now := end.Add(test.after)
		b.Sessions = nil
		b.Session, b.Mono, b.Wall = it.Session, it.Mono, it.Wall // sent at once, by whatever clock
		b.Arrives(now)
		a := b.Open(key, noon.AddDate(0, 0, -30), now.Add(time.Hour))[0]
		if a.Err != nil || !a.At.Equal(now) {
			t.Fatalf("%s: at %v, %v", name, a.At, a.Err)
		}
		if a.Begun.IsZero() == test.known || test.known && !a.Begun.Equal(end.Add(test.begun)) {
			t.Errorf("%s: begun at %v", name, a.Begun)
		}
		if at := a.CountedAt(c); !at.Equal(end.Add(test.counted)) {
			t.Errorf("%s: counts at %v", name, at)
		}
		if kept := Reopen(key, a.Sealed); !kept.Begun.IsZero() {
			t.Errorf("%s: from the quarantine it was begun at %v", name, kept.Begun)
		}
	}
}

// exportOf is the file that a tablet with a key writes.
func exportOf(t testing.TB, public []byte, device, purpose, batch, mac string) []byte {
	t.Helper()
	inner, err := json.Marshal(map[string]string{"batch": batch, "mac": mac})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := seal(public, purpose, inner)
	if err != nil {
		t.Fatal(err)
	}
	file, err := json.Marshal(map[string]any{"sipas_kiosk_export": 1, "device": device, "sealed": sealed})
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// exportMAC proves that the tablet with the key of keyOf(b) wrote a batch.
func exportMAC(t testing.TB, b byte, batch string) string {
	t.Helper()
	hash, err := hex.DecodeString(keyOf(b))
	if err != nil {
		t.Fatal(err)
	}
	return hmacOf(hash, "sipas export 1\n"+batch)
}

func TestReadExport(t *testing.T) {
	key := testKey(t, 1)
	revoked := noon
	devices := map[string]Device{
		"NEW":     {ID: "NEW", Name: "new"}, // never paired
		"ONE":     {ID: "ONE", Key: keyOf(5), OldKeys: []string{keyOf(3), keyOf(4)}},
		"TWO":     {ID: "TWO", Key: keyOf(6)},
		"REVOKED": {ID: "REVOKED", Key: keyOf(7), Revoked: &revoked},
	}
	find := func(id string) (Device, bool) { d, ok := devices[id]; return d, ok }
	file := func(device string, by byte) []byte {
		return exportOf(t, key.Public(), device, sealExport, goodBatch, exportMAC(t, by, goodBatch))
	}
	edit := func(change func(m map[string]any)) []byte {
		var m map[string]any
		if err := json.Unmarshal(file("ONE", 5), &m); err != nil {
			t.Fatal(err)
		}
		change(m)
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	many := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf(`{"n":%d,"sealed":"AA=="}`, i+1)
		}
		return goodBatch[:strings.Index(goodBatch, `"items"`)] + `"items":[` + strings.Join(list, ",") + "]}"
	}
	signed := func(batch string) []byte {
		return exportOf(t, key.Public(), "ONE", sealExport, batch, exportMAC(t, 5, batch))
	}
	for name, test := range map[string]struct {
		text  []byte
		items int // where it is read
		err   error
		want  string
	}{
		"whole":                      {file("ONE", 5), 2, nil, ""},
		"by an old key":              {file("ONE", 4), 2, nil, ""},
		"by the oldest key":          {file("ONE", 3), 2, nil, ""},
		"of a revoked tablet":        {file("REVOKED", 7), 2, nil, ""},
		"more than a batch":          {signed(many(MaxItems + 1)), MaxItems + 1, nil, ""},
		"as many as may be":          {signed(many(MaxExport)), MaxExport, nil, ""},
		"too many":                   {signed(many(MaxExport + 1)), 0, ErrBatch, "too many answers"},
		"by the key of another":      {file("ONE", 6), 0, ErrExport, "no key"},
		"said to be of another":      {file("TWO", 5), 0, ErrExport, "no key"},
		"by no key":                  {exportOf(t, key.Public(), "NEW", sealExport, goodBatch, hmacOf(nil, "sipas export 1\n"+goodBatch)), 0, ErrExport, "no key"},
		"no MAC":                     {exportOf(t, key.Public(), "ONE", sealExport, goodBatch, ""), 0, ErrExport, "no key"},
		"MAC of another batch":       {exportOf(t, key.Public(), "ONE", sealExport, goodBatch+" ", exportMAC(t, 5, goodBatch)), 0, ErrExport, "no key"},
		"MAC of an answer":           {exportOf(t, key.Public(), "ONE", sealExport, goodBatch, SignAnswer(secret(5), "", []byte(goodBatch))), 0, ErrExport, "no key"},
		"sealed as an answer":        {exportOf(t, key.Public(), "ONE", sealAnswer, goodBatch, exportMAC(t, 5, goodBatch)), 0, ErrExport, "cannot be opened"},
		"of another installation":    {exportOf(t, testKey(t, 2).Public(), "ONE", sealExport, goodBatch, exportMAC(t, 5, goodBatch)), 0, ErrExport, "cannot be opened"},
		"of an unknown tablet":       {file("NONE", 5), 0, ErrExport, "no such tablet"},
		"no batch, though signed":    {signed("{}"), 0, ErrBatch, "epoch"},
		"nothing, though signed":     {signed(""), 0, ErrBatch, ""},
		"the device changed":         {edit(func(m map[string]any) { m["device"] = "TWO" }), 0, ErrExport, "no key"},
		"one letter of it changed":   {edit(func(m map[string]any) { s := m["sealed"].(string); m["sealed"] = s[:200] + string(s[200]^1) + s[201:] }), 0, ErrExport, ""},
		"nothing sealed":             {edit(func(m map[string]any) { delete(m, "sealed") }), 0, ErrExport, "cannot be opened"},
		"another format":             {edit(func(m map[string]any) { m["sipas_kiosk_export"] = 2 }), 0, ErrExport, "no such file"},
		"no format":                  {edit(func(m map[string]any) { delete(m, "sipas_kiosk_export") }), 0, ErrExport, "no such file"},
		"something sealed, no batch": {exportRaw(t, key.Public(), "ONE", []byte("[]")), 0, ErrExport, "cannot unmarshal"},
		"cut":                        {file("ONE", 5)[:300], 0, ErrExport, "no such file"},
		"empty":                      {nil, 0, ErrExport, "no such file"},
		"a picture":                  {[]byte("\x89PNG\r\n"), 0, ErrExport, "no such file"},
		"null":                       {[]byte("null"), 0, ErrExport, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			d, by, b, err := ReadExport(test.text, key, find)
			if test.err != nil {
				if b != nil || !errors.Is(err, test.err) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, %v, want %v with %q", b, err, test.err, test.want)
				}
				return
			}
			if err != nil || len(b.Items) != test.items || b.Turn != 3 {
				t.Fatalf("got %v, %v", b, err)
			}
			if !reflect.DeepEqual(d, devices[d.ID]) || d.ID == "" {
				t.Errorf("of tablet %+v", d)
			}
			signer := cmp.Or(map[string]byte{"by an old key": 4, "by the oldest key": 3, "of a revoked tablet": 7}[name], 5)
			if hex.EncodeToString(by) != keyOf(signer) {
				t.Errorf("signed by %x", by)
			}
		})
	}
}

// exportRaw is a file in which anything is sealed.
func exportRaw(t testing.TB, public []byte, device string, inner []byte) []byte {
	t.Helper()
	sealed, err := seal(public, sealExport, inner)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(Export{1, device, sealed})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func FuzzReadBatch(f *testing.F) {
	key := testKey(f, 1)
	good := changed(f, map[string]any{"items": []Sealed{{1, sealedItem(f, key.Public(), goodItem(f, "AAAAA0"))}}})
	f.Add([]byte(goodBatch), 200)
	f.Add(good, 1)
	f.Add([]byte(`{"nonce":"0123456789abcdef","epoch":"00112233445566778899aabbccddeeff","session":-9223372036854775808,"mono":9223372036854775807,"wall":-9223372036854775808,"items":[null]}`), 0)
	c := testCatalogue(f, testDocuments())
	f.Fuzz(func(t *testing.T, text []byte, most int) {
		b, err := ReadBatch(text, most)
		if err != nil {
			if b != nil || !errors.Is(err, ErrBatch) {
				t.Fatalf("got %v, %v", b, err)
			}
			return
		}
		if len(b.Items) > most || len(b.Sessions) > maxSessions || len(b.Unsent) > maxRanges || b.Turn < 0 || b.Highest < 0 || b.Highest > MaxNumber {
			t.Fatalf("read %+v", b)
		}
		checkForm(t, b.Unsent)
		checkForm(t, b.Kept)
		b.Arrives(noon)
		d, contact := testDevice(t), Contact{}
		var received []int64
		for _, a := range b.Open(key, noon.AddDate(0, 0, -1), noon) {
			if a.At.Before(noon.AddDate(0, 0, -1).Truncate(time.Millisecond)) || a.At.After(noon) {
				t.Fatalf("given at %v", a.At)
			}
			if r, err := a.Accept(c, &d, noon); err == nil && len(r.Receipt) != 32 {
				t.Fatalf("accepted %+v", r)
			}
			received = append(received, a.N)
		}
		contact.Learn(b, received, 0, noon)
		if contact.Missing().Len() > b.Highest || len(contact.Standing(&d, noon)) == 0 {
			t.Fatalf("learned %+v", contact)
		}
		if _, err := json.Marshal(contact); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzReadExport(f *testing.F) {
	key := testKey(f, 1)
	inner, err := json.Marshal(exportText{goodBatch, exportMAC(f, 5, goodBatch)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(byte(0), exportOf(f, key.Public(), "ONE", sealExport, goodBatch, exportMAC(f, 5, goodBatch)))
	f.Add(byte(1), inner)
	f.Add(byte(1), []byte(`{"batch":null}`))
	f.Add(byte(2), []byte(goodBatch))
	d := Device{ID: "ONE", Key: keyOf(5), OldKeys: []string{"", "zz", keyOf(4)}}
	f.Fuzz(func(t *testing.T, how byte, text []byte) {
		switch how % 3 { // any file, anything that is sealed, any batch that is signed
		case 1:
			text = exportRaw(t, key.Public(), "ONE", text)
		case 2:
			text = exportOf(t, key.Public(), "ONE", sealExport, string(text), exportMAC(t, 4, string(text)))
		}
		_, _, b, err := ReadExport(text, key, func(id string) (Device, bool) { return d, id == "ONE" })
		if (b == nil) != (err != nil) || err != nil && !errors.Is(err, ErrExport) && !errors.Is(err, ErrBatch) {
			t.Fatalf("got %v, %v", b, err)
		}
	})
}
