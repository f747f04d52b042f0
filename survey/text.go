package survey

import (
	"fmt"
	"time"
)

// Languages that every text of the service must have. Vietnamese comes first:
// it is what a reader gets whose language is missing.
const (
	Vietnamese = "vi"
	English    = "en"
)

// Text is one text in several languages, keyed by language tag ("vi", "en").
type Text map[string]string

// In returns the text in the language lang, else in Vietnamese, else in
// English, else "".
func (t Text) In(lang string) string {
	for _, l := range [...]string{lang, Vietnamese, English} {
		if s := t[l]; s != "" {
			return s
		}
	}
	return ""
}

// VietnamTime is the zone of everything shown to people. Vietnam keeps UTC+7
// all year, so a fixed zone says the same as the time zone database and needs
// no lookup.
func VietnamTime() *time.Location { return time.FixedZone("Asia/Ho_Chi_Minh", 7*60*60) }

// Date is a calendar day in Vietnam, written "2006-01-02"; "" is no day.
type Date string

// DateOf returns the day in Vietnam on which t falls.
func DateOf(t time.Time) Date {
	return Date(t.In(VietnamTime()).Format(time.DateOnly))
}

// ParseDate reads "2006-01-02".
func ParseDate(s string) (Date, error) {
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return "", fmt.Errorf("%q is not a date of the form 2006-01-02", s)
	}
	return Date(s), nil
}

// Start returns the first moment of the day in Vietnam; the zero time for "".
func (d Date) Start() time.Time {
	t, err := time.ParseInLocation(time.DateOnly, string(d), VietnamTime())
	if err != nil {
		return time.Time{}
	}
	return t
}

// AddDays returns the day n days later.
func (d Date) AddDays(n int) Date {
	return Date(d.Start().AddDate(0, 0, n).Format(time.DateOnly))
}

// dayZero is day number 0: columns count days in 16 bits from here.
const dayZero = 10957 // 2000-01-01, in days since 1970-01-01

// DayNumber returns the number of days from 2000-01-01 to the day in Vietnam
// on which t falls, clamped to 0 … 65535 (the year 2179).
func DayNumber(t time.Time) uint16 {
	n := (t.Unix()+7*60*60)/86400 - dayZero
	return uint16(max(0, min(n, 65535)))
}

// DayOf is the inverse of [DayNumber].
func DayOf(n uint16) Date {
	return Date(time.Unix((int64(n)+dayZero)*86400, 0).UTC().Format(time.DateOnly))
}

// Hour cuts t to the whole hour, in UTC. No time finer than that is ever kept
// with an answer.
func Hour(t time.Time) time.Time { return t.UTC().Truncate(time.Hour) }
