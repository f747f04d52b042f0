package web

import (
	"strings"
	"time"

	"sipas/kiosk"
)

// span words a length of time of at least a minute, in one unit that is fine enough.
func (p *page) span(d time.Duration) string {
	switch {
	case d < 2*time.Hour:
		return p.T("span.minutes", p.Num(int(d.Minutes())))
	case d < 48*time.Hour:
		return p.T("span.hours", p.Num(int(d.Hours())))
	}
	return p.T("span.days", p.Num(int(d.Hours()/24)))
}

func (p *page) ago(d time.Duration) string {
	if d < time.Minute {
		return p.T("span.now")
	}
	return p.T("span.ago", p.span(d))
}

// size words a number of bytes.
func (p *page) size(n int64) string {
	switch {
	case n < 1e6:
		return p.Num(int(n/1000)) + " kB"
	case n < 1e9:
		return p.decimal(float64(n)/1e6, 1) + " MB"
	}
	return p.decimal(float64(n)/1e9, 1) + " GB"
}

// ranges writes numbers as "120–134, 140", and how many ranges more there are.
func (p *page) ranges(numbers kiosk.Numbers, most int) string {
	var parts []string
	for _, r := range numbers[:min(len(numbers), most)] {
		text := p.Num(r[0])
		if r[1] > r[0] {
			text += "–" + p.Num(r[1])
		}
		parts = append(parts, text)
	}
	if more := len(numbers) - most; more > 0 {
		parts = append(parts, p.T("fleet.more_ranges", p.Num(more)))
	}
	return strings.Join(parts, ", ")
}

// Fix words what to do about a tablet that says that it takes no answers.
func (p *page) Fix(problem string) string {
	if text, ok := p.texts.find(p.Lang, "fleet.fix."+problem); ok {
		return text
	}
	return p.T("fleet.fix.stopped")
}
