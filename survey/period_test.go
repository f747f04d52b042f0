package survey

import "testing"

func TestPicturePeriod(t *testing.T) {
	for _, c := range []struct{ pictures, day, first, next string }{
		{"", "2026-11-25", "2026-11-23", "2026-11-30"}, // a Wednesday
		{"week", "2026-11-23", "2026-11-23", "2026-11-30"},
		{"week", "2026-11-29", "2026-11-23", "2026-11-30"},
		{"week", "2027-01-01", "2026-12-28", "2027-01-04"},
		{"day", "2026-12-31", "2026-12-31", "2027-01-01"},
		{"month", "2026-11-30", "2026-11-01", "2026-12-01"},
		{"month", "2026-12-31", "2026-12-01", "2027-01-01"},
	} {
		first, next := (&Round{Pictures: c.pictures}).PicturePeriod(Date(c.day))
		if string(first) != c.first || string(next) != c.next {
			t.Errorf("%s of %s: %s to %s, want %s to %s", c.pictures, c.day, first, next, c.first, c.next)
		}
	}
}
