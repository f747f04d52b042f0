package kiosk

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sipas/survey"
)

// noon is an hour at which the office is open: Monday, in the middle of round r1.
var noon = time.Date(2026, 11, 16, 4, 25, 37, 0, time.UTC)

// randomOf is randomness that is always the same.
func randomOf(b byte) *bytes.Reader { return bytes.NewReader(bytes.Repeat([]byte{b}, 64)) }

// testDevice stands at AAAAA0, and is not paired.
func testDevice(t testing.TB) Device {
	t.Helper()
	d, err := NewDevice("Hall", "AAAAA0", noon, randomOf(1))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// fields lists what an error says: "name required".
func fields(err error) string {
	var wrong *survey.Error
	if !errors.As(err, &wrong) {
		return fmt.Sprint(err)
	}
	var out []string
	for _, f := range wrong.Fields {
		out = append(out, f.Field+" "+string(f.Code))
	}
	return strings.Join(out, ", ")
}

func TestNewDevice(t *testing.T) {
	for name, test := range map[string]struct {
		name, desk string
		want       string
	}{
		"good":              {"Quầy 1", "AAAAA0", "<nil>"},
		"spaces around":     {"  Quầy 1\t", "AAAAA0", "<nil>"},
		"no name":           {"", "AAAAA0", "name required"},
		"only spaces":       {" \n ", "AAAAA0", "name required"},
		"100 letters":       {strings.Repeat("ầ", 100), "AAAAA0", "<nil>"},
		"101 letters":       {strings.Repeat("ầ", 101), "AAAAA0", "name too_long"},
		"not UTF-8":         {"a\xff", "AAAAA0", "name utf8_invalid"},
		"an escape":         {"a\x1b[2J", "AAAAA0", "name invalid"},
		"two lines":         {"a\nb", "AAAAA0", "name invalid"},
		"no desk":           {"Hall", "", "desk required"},
		"neither":           {"", "", "name required, desk required"},
		"no randomness":     {"Hall", "AAAAA0", "make a code: EOF"},
		"little randomness": {"Hall", "AAAAA0", "make a code: unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			random := randomOf(1)
			switch name {
			case "no randomness":
				random = bytes.NewReader(nil)
			case "little randomness":
				random = bytes.NewReader([]byte{1, 2, 3})
			}
			d, err := NewDevice(test.name, test.desk, noon, random)
			if got := fields(err); got != test.want {
				t.Fatalf("got %s, want %s", got, test.want)
			}
			if err != nil {
				return
			}
			whole := noon.Truncate(time.Second)
			if d.Name != strings.TrimSpace(test.name) || len(d.ID) != 6 || d.Desk() != test.desk || !reflect.DeepEqual(d.Places, []Place{{test.desk, whole}}) || !d.Created.Equal(whole) {
				t.Errorf("made %+v", d)
			}
			if d.Key != "" || d.Revoked != nil || d.Pairing != nil || d.Comments {
				t.Errorf("a new tablet has rights: %+v", d)
			}
		})
	}
	other, err := NewDevice("Hall", "AAAAA0", noon, randomOf(2))
	if err != nil || other.ID == testDevice(t).ID {
		t.Errorf("two tablets have the id %s: %v", other.ID, err)
	}
}

func TestCheckDevice(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Device)
		want   string
	}{
		"as it was":       {func(*Device) {}, "<nil>"},
		"a message":       {func(d *Device) { d.Message = strings.Repeat("ầ", 300) }, "<nil>"},
		"a long message":  {func(d *Device) { d.Message = strings.Repeat("ầ", 301) }, "message too_long"},
		"a bad message":   {func(d *Device) { d.Message = "\xff" }, "message utf8_invalid"},
		"nowhere":         {func(d *Device) { d.Places = nil }, "desk required"},
		"no name, at all": {func(d *Device) { d.Name, d.Message, d.Places = "", "\xff", nil }, "name required, message utf8_invalid, desk required"},
	} {
		d := testDevice(t)
		test.change(&d)
		if got := fields(d.Check()); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func TestMove(t *testing.T) {
	d := testDevice(t)
	before := d
	d.Move("AAAAA0", noon.Add(time.Hour))
	if len(d.Places) != 1 {
		t.Errorf("moved where it stands: %v", d.Places)
	}
	d.Move("BBBBB0", noon.Add(2*time.Hour))
	d.Move("AAAAA0", noon.Add(3*time.Hour+7))
	want := []Place{{"AAAAA0", noon}, {"BBBBB0", noon.Add(2 * time.Hour)}, {"AAAAA0", noon.Add(3 * time.Hour)}}
	if !reflect.DeepEqual(d.Places, want) || d.Desk() != "AAAAA0" {
		t.Errorf("places %v, want %v", d.Places, want)
	}
	if !d.StoodAt("AAAAA0") || !d.StoodAt("BBBBB0") || d.StoodAt("CCCCC0") || d.StoodAt("") {
		t.Errorf("where it stood: %v", d.Places)
	}
	// Two changes of one state, as servers make them.
	one, two := d, d
	one.Move("CCCCC0", noon)
	two.Move("DDDDD0", noon)
	if one.Desk() != "CCCCC0" || two.Desk() != "DDDDD0" || len(before.Places) != 1 {
		t.Errorf("moves of copies mix: %v, %v, %v", one.Places, two.Places, before.Places)
	}
	for i := range 250 {
		d.Move(fmt.Sprint("DESK", i), noon)
	}
	if len(d.Places) != maxPlaces || d.Desk() != "DESK249" || d.Places[0].Desk != "DESK150" || d.StoodAt("AAAAA0") || !d.StoodAt("DESK150") {
		t.Errorf("%d places from %s to %s", len(d.Places), d.Places[0].Desk, d.Desk())
	}
}

// keyOf is the hash of a tablet's key, as Device.Key has it.
func keyOf(b byte) string {
	sum := sha256.Sum256(secret(b))
	return hex.EncodeToString(sum[:])
}

func hashCode(code string) string { return "hash of " + code }

func TestPair(t *testing.T) {
	type step struct {
		do    string // pair, new, revoke
		code  byte   // which code, or which one is made
		key   byte
		after time.Duration
		want  bool // of pair
		holds byte // the key after it, 0 for none
	}
	for name, steps := range map[string][]step{
		"at once":                      {{"pair", 1, 7, 0, true, 7}},
		"in the last second":           {{"pair", 1, 7, 10*time.Minute - time.Second, true, 7}},
		"after ten minutes":            {{"pair", 1, 7, 10 * time.Minute, false, 0}},
		"another code":                 {{"pair", 2, 7, 0, false, 0}},
		"the same key again":           {{"pair", 1, 7, 0, true, 7}, {"pair", 1, 7, time.Minute, true, 7}},
		"another key":                  {{"pair", 1, 7, 0, true, 7}, {"pair", 1, 8, time.Minute, false, 7}, {"pair", 1, 7, time.Minute, true, 7}},
		"the same key too late":        {{"pair", 1, 7, 0, true, 7}, {"pair", 1, 7, 10 * time.Minute, false, 7}},
		"a new pairing ends the old":   {{"new", 2, 0, 0, false, 0}, {"pair", 1, 7, 0, false, 0}, {"pair", 2, 7, 0, true, 7}},
		"a new one after the old":      {{"pair", 1, 7, 0, true, 7}, {"new", 2, 0, time.Minute, false, 7}, {"pair", 1, 7, time.Minute, false, 7}, {"pair", 2, 8, 10 * time.Minute, true, 8}},
		"revoked before it is used":    {{"revoke", 0, 0, 0, false, 0}, {"pair", 1, 7, 0, false, 0}},
		"revoked and asked again":      {{"pair", 1, 7, 0, true, 7}, {"revoke", 0, 0, 0, false, 7}, {"pair", 1, 7, 0, false, 7}},
		"revoked and paired again":     {{"pair", 1, 7, 0, true, 7}, {"revoke", 0, 0, 0, false, 7}, {"new", 2, 0, 0, false, 7}, {"pair", 2, 8, 0, true, 8}},
		"revoked while a code waits":   {{"revoke", 0, 0, 0, false, 0}, {"new", 2, 0, 0, false, 0}, {"revoke", 0, 0, time.Minute, false, 0}, {"pair", 2, 7, time.Minute, false, 0}},
		"the same tablet, a new code":  {{"pair", 1, 7, 0, true, 7}, {"new", 2, 0, 0, false, 7}, {"pair", 2, 7, 0, true, 7}},
		"two tablets, one after other": {{"pair", 1, 7, 0, true, 7}, {"new", 2, 0, 0, false, 7}, {"pair", 2, 8, 0, true, 8}, {"pair", 2, 7, 0, false, 8}},
	} {
		t.Run(name, func(t *testing.T) {
			d := testDevice(t)
			codes := map[byte]string{2: "NEVER-MADE"}
			var keys []string // that it had
			begin := func(which byte, now time.Time) {
				code, err := d.NewPairing(now, randomOf(which), hashCode)
				if err != nil {
					t.Fatal(err)
				}
				read, ok := ReadPairingCode(code)
				if !ok {
					t.Fatalf("the code %s cannot be read", code)
				}
				codes[which] = hashCode(read)
			}
			begin(1, noon)
			for i, s := range steps {
				now := noon.Add(s.after)
				revoked := d.Revoked != nil
				switch s.do {
				case "new":
					begin(s.code, now)
				case "revoke":
					d.Revoke(now)
					if d.Revoked == nil || d.Pairing != nil {
						t.Fatalf("step %d: revoked %v, pairing %v", i, d.Revoked, d.Pairing)
					}
				case "pair":
					before := d
					got := d.Pair(codes[s.code], keyOf(s.key), now)
					if got != s.want || got && d.Revoked != nil {
						t.Fatalf("step %d: paired %v, revoked %v", i, got, d.Revoked)
					}
					if !got && !reflect.DeepEqual(d, before) {
						t.Fatalf("step %d: refused, but changed to %+v", i, d)
					}
					if revoked && got && before.Pairing == nil {
						t.Fatalf("step %d: a revoked tablet without a pairing was paired", i)
					}
					if n := len(keys); got && (n == 0 || keys[n-1] != d.Key) {
						keys = append(keys, d.Key)
					}
				}
				want := ""
				if s.holds != 0 {
					want = keyOf(s.holds)
				}
				if d.Key != want {
					t.Fatalf("step %d: key %s, want %s", i, d.Key, want)
				}
			}
			if len(keys) > 0 && !slices.Equal(d.OldKeys, keys[:len(keys)-1]) {
				t.Errorf("old keys %v, want %v", d.OldKeys, keys[:len(keys)-1])
			}
		})
	}
}

// The code is kept nowhere.
func TestNewPairing(t *testing.T) {
	d := testDevice(t)
	code, err := d.NewPairing(noon.Add(700*time.Millisecond), randomOf(5), hashCode)
	if err != nil {
		t.Fatal(err)
	}
	if len(code) != 10 || code[4] != '-' {
		t.Errorf("code %s, want four characters, a dash and five", code)
	}
	if want := (Pairing{Code: hashCode(strings.ReplaceAll(code, "-", "")), Until: noon.Add(10 * time.Minute)}); !reflect.DeepEqual(*d.Pairing, want) {
		t.Errorf("kept %+v, want %+v", *d.Pairing, want)
	}
	before := d
	if _, err := d.NewPairing(noon, bytes.NewReader(nil), hashCode); err == nil || !reflect.DeepEqual(d, before) {
		t.Errorf("a code without randomness: %v", err)
	}
	copied := d
	if !d.Pair(d.Pairing.Code, keyOf(7), noon) || copied.Pairing.Used != "" {
		t.Error("pairing changed a copy")
	}
}

func TestOldKeys(t *testing.T) {
	d := testDevice(t)
	for i := range byte(30) {
		before := d
		kept := slices.Clone(d.OldKeys)
		if _, err := d.NewPairing(noon, randomOf(i), hashCode); err != nil {
			t.Fatal(err)
		}
		if !d.Pair(d.Pairing.Code, keyOf(i), noon) {
			t.Fatalf("pairing %d refused", i)
		}
		if !slices.Equal(before.OldKeys, kept) {
			t.Fatal("pairing changed a copy")
		}
	}
	var want []string
	for i := byte(19); i < 29; i++ {
		want = append(want, keyOf(i))
	}
	one, two := d, d
	for i := range byte(3) { // two changes of one state, as servers make them
		for which, copied := range []*Device{&one, &two} {
			if _, err := copied.NewPairing(noon, randomOf(i), hashCode); err != nil {
				t.Fatal(err)
			}
			copied.Pair(copied.Pairing.Code, keyOf(100+50*byte(which)+i), noon)
		}
	}
	if one.OldKeys[9] != keyOf(101) || two.OldKeys[9] != keyOf(151) {
		t.Error("pairings of copies mix")
	}
	if d.Key != keyOf(29) || !slices.Equal(d.OldKeys, want) {
		t.Errorf("%d old keys, want the last %d", len(d.OldKeys), maxOldKeys)
	}
}

func TestRevoke(t *testing.T) {
	d := testDevice(t)
	d.Revoke(noon.Add(time.Minute + 5))
	d.Revoke(noon.Add(time.Hour))
	if !d.Revoked.Equal(noon.Add(time.Minute)) {
		t.Errorf("revoked at %v, want the first time", d.Revoked)
	}
}

func TestReadPairingCode(t *testing.T) {
	d := testDevice(t)
	// Bits of 0 and 1 give a code with the characters that people mix up.
	code, err := d.NewPairing(noon, bytes.NewReader([]byte{0x00, 0x44, 0x32, 0x00, 0x41}), func(code string) string { return code })
	if err != nil {
		t.Fatal(err)
	}
	want := d.Pairing.Code
	if !strings.Contains(want, "0") || !strings.Contains(want, "1") {
		t.Fatalf("the code %s has not both 0 and 1", want)
	}
	for name, typed := range map[string]string{
		"as shown":     code,
		"without dash": want,
		"lower case":   strings.ToLower(code),
		"with spaces":  "  " + want[:2] + " " + want[2:5] + " " + want[5:] + " ",
		"dashes":       strings.Join(strings.Split(want, ""), "-"),
		"O for 0":      strings.ReplaceAll(code, "0", "O"),
		"o for 0":      strings.ReplaceAll(code, "0", "o"),
		"I for 1":      strings.ReplaceAll(code, "1", "I"),
		"l for 1":      strings.ReplaceAll(code, "1", "l"),
		"all of it":    " " + strings.ToLower(strings.NewReplacer("0", "o", "1", "i", "-", " ").Replace(code)),
	} {
		if got, ok := ReadPairingCode(typed); !ok || got != want {
			t.Errorf("%s: %q was read as %s, %v, want %s", name, typed, got, ok, want)
		}
	}
	for _, typed := range []string{"", code + "0", want[1:], want[:8], "U" + want[1:], strings.Repeat(want, 10), "á" + want[1:], want[1:2] + want[:1] + want[2:8] + "Z"} {
		if got, ok := ReadPairingCode(typed); ok {
			t.Errorf("%q was read as %s", typed, got)
		}
	}
	for i := range want { // the check character
		other := byte('7')
		if want[i] == other {
			other = '8'
		}
		if _, ok := ReadPairingCode(want[:i] + string(other) + want[i+1:]); ok {
			t.Errorf("a wrong character %d was not noticed", i)
		}
	}
}

func TestReadKey(t *testing.T) {
	text := base64.RawURLEncoding.EncodeToString(secret(0xfb))
	hash, ok := ReadKey(text)
	if want := sha256.Sum256(secret(0xfb)); !ok || !bytes.Equal(hash, want[:]) {
		t.Errorf("%s: %x, %v", text, hash, ok)
	}
	if again, ok := ReadKeyHash(hex.EncodeToString(hash)); !ok || !bytes.Equal(again, hash) {
		t.Errorf("the hash was read as %x, %v", again, ok)
	}
	for name, wrong := range map[string]string{
		"none": "", "short": text[:len(text)-2], "long": text + "AA", "padded": text + "=",
		"another alphabet": strings.ReplaceAll(strings.ReplaceAll(text, "_", "/"), "-", "+"),
		"bits too many":    text[:len(text)-1] + "t", "spaces": " " + text,
	} {
		if _, ok := ReadKey(wrong); ok {
			t.Errorf("%s: %q was taken for a key", name, wrong)
		}
	}
	for _, wrong := range []string{"", "00", keyOf(1)[1:], keyOf(1) + "00", "g" + keyOf(1)[1:], " " + keyOf(1)} {
		if _, ok := ReadKeyHash(wrong); ok {
			t.Errorf("%q was taken for a hash", wrong)
		}
	}
}

// What is stored of a tablet reads back.
func TestDeviceJSON(t *testing.T) {
	d := testDevice(t)
	for i := range byte(3) {
		if _, err := d.NewPairing(noon, randomOf(i), hashCode); err != nil {
			t.Fatal(err)
		}
		d.Pair(d.Pairing.Code, keyOf(i), noon)
	}
	at := noon
	d.Message, d.Comments, d.Revoked = "x", true, &at
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var again Device
	if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(again, d) {
		t.Errorf("%s was read as %+v: %v", text, again, err)
	}
}
