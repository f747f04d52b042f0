package survey

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

func TestNewID(t *testing.T) {
	id, err := NewID(noon, bytes.NewReader(bytes.Repeat([]byte{0xff}, 16)))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := IDHour(id), Hour(noon); !got.Equal(want) {
		t.Errorf("hour of the id = %v, want %v", got, want)
	}
	if parsed, err := ParseID(id.String()); err != nil || parsed != id {
		t.Errorf("ParseID(%s) = %s, %v", id, parsed, err)
	}
	if _, err := NewID(noon, bytes.NewReader(nil)); err == nil {
		t.Error("an id was minted without randomness")
	}
}

func TestParseID(t *testing.T) {
	for s, want := range map[string]error{
		"":                                     nil,
		goodID:                                 ErrIDHour,
		"0f8fad5b-d9cb-469f-a165-70867728950e": nil,
		"urn:uuid:019a8592-ea00-7b3c-8d4e-5f60718293a4": nil,
	} {
		_, err := ParseID(s)
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("ParseID(%q): %v, want an error (%v)", s, err, want)
		}
	}
}

func TestDerivedID(t *testing.T) {
	key := []byte("k")
	id := DerivedID(key, noon, "paper", "17")
	if id != DerivedID(key, noon.Add(20*time.Minute), "paper", "17") {
		t.Error("the same row of the same hour has another id")
	}
	if _, err := ParseID(id.String()); err != nil {
		t.Error(err)
	}
	for name, other := range map[string]ID{
		"row":  DerivedID(key, noon, "paper", "18"),
		"cut":  DerivedID(key, noon, "paper1", "7"),
		"key":  DerivedID([]byte("l"), noon, "paper", "17"),
		"hour": DerivedID(key, noon.Add(time.Hour), "paper", "17"),
	} {
		if other == id {
			t.Errorf("another %s gave the same id", name)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add(goodID)
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := ParseID(s); err == nil && !IDHour(id).Equal(Hour(IDHour(id))) {
			t.Fatalf("%s has no whole hour", id)
		}
	})
}

func TestDays(t *testing.T) {
	for moment, want := range map[time.Time]Date{
		time.Date(2026, 11, 24, 16, 59, 59, 0, time.UTC): "2026-11-24",
		time.Date(2026, 11, 24, 17, 0, 0, 0, time.UTC):   "2026-11-25", // midnight in Vietnam
		time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC):      "2000-01-01",
		time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC):    "2024-02-29",
	} {
		if got := DateOf(moment); got != want {
			t.Errorf("DateOf(%v) = %s, want %s", moment, got, want)
		}
		if got := DayOf(DayNumber(moment)); got != want {
			t.Errorf("DayOf(DayNumber(%v)) = %s, want %s", moment, got, want)
		}
	}
	if got := Date("2026-02-28").AddDays(1); got != "2026-03-01" {
		t.Errorf("AddDays = %s", got)
	}
}
