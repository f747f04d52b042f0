package survey

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"
)

func TestSlip(t *testing.T) {
	key := []byte("key")
	slip, err := NewSlip(key, "r1", "D1", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	canonical, ok := ReadSlip(key, "r1", "D1", slip)
	if !ok || len(canonical) != 20 || strings.Count(slip, "-") != 4 || strings.ContainsAny(canonical, "ILOU") {
		t.Errorf("%s reads as %q, %v", slip, canonical, ok)
	}
	for _, typed := range []string{strings.ToLower(slip), strings.ReplaceAll(slip, "-", " "), strings.ReplaceAll(canonical, "0", "O"), strings.ReplaceAll(canonical, "1", "l")} {
		if got, ok := ReadSlip(key, "r1", "D1", typed); !ok || got != canonical {
			t.Errorf("%q reads as %q, %v", typed, got, ok)
		}
	}
	for i := range canonical {
		other := []byte(canonical)
		other[i] = codeAlphabet[(strings.IndexByte(codeAlphabet, other[i])+7)%32]
		if _, ok := ReadSlip(key, "r1", "D1", string(other)); ok {
			t.Errorf("%s is taken for %s", other, canonical)
		}
		// The check alone makes no slip.
		other[slipLength-1] = checkCharacter(string(other[:slipLength-1]))
		if _, ok := ReadSlip(key, "r1", "D1", string(other)); ok && i < slipLength-1 {
			t.Errorf("%s is taken for %s", other, canonical)
		}
	}
	for _, of := range [][3]string{{"key", "r2", "D1"}, {"key", "r1", "D2"}, {"other", "r1", "D1"}, {"key", "r1\x00D1", ""}} {
		if _, ok := ReadSlip([]byte(of[0]), of[1], of[2], slip); ok {
			t.Errorf("the slip is one of %q", of)
		}
	}
	for _, no := range []string{"", "-", strings.Repeat("0", 20), strings.Repeat("A", 10_000), "ÀÁÂÃ", slip + slip} {
		if _, ok := ReadSlip(key, "r1", "D1", no); ok {
			t.Errorf("%.30q is a slip", no)
		}
	}
	if _, err := NewSlip(key, "r1", "D1", bytes.NewReader(nil)); err == nil {
		t.Error("a slip without chance")
	}
}

// TestDoors: what a round takes, and what Accept says of an answer by another door.
func TestDoors(t *testing.T) {
	for doors, want := range map[string]string{"": "open", DoorsOpen: "open", DoorsSlip: "slip", DoorsBoth: "open slip"} {
		c := testCatalogue(t)
		c.Rounds["r1"].Doors = doors
		for _, door := range []Door{DoorOpen, DoorSlip, DoorStaff} {
			channel := ChannelQR
			if door == DoorStaff {
				channel = ChannelPaper
			}
			r, err := Accept(c, goodSubmission(t), Origin{Channel: channel, Door: door}, noon)
			taken := door == DoorStaff || strings.Contains(want, string(door))
			if taken != (err == nil) || !taken && !Has(err, CodeSlipRequired) || taken && r.Door != door {
				t.Errorf("doors %q, an answer by %s: %v, door %s", doors, door, err, r.Door)
			}
		}
	}
}

func FuzzReadSlip(f *testing.F) {
	slip, _ := NewSlip([]byte("key"), "r1", "D1", rand.Reader)
	f.Add(slip)
	f.Add("0000-0000-0000-0000-0000")
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := ReadSlip([]byte("key"), "r1", "D1", s)
		if again, still := ReadSlip([]byte("key"), "r1", "D1", got); ok && (!still || again != got) {
			t.Errorf("%q reads as %q, and that as %q, %v", s, got, again, still)
		}
	})
}
