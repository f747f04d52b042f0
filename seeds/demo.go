package seeds

import (
	"fmt"

	"sipas/survey"
)

// DemoRound is the id of the demonstration's round.
const DemoRound = "demo"

// demoDays is how long the demonstration's round has run: long enough for the
// working days of [DefaultParams].
const demoDays = 60

// Demo returns the documents of the demonstration, with results returned, and
// the simulated people who answer in it. The round is open on today, began 60
// days before and ends 29 days after; the answers are to be dated up to
// yesterday: sim.Visits(today.AddDays(-1)). Days are relative to today, all
// else is the same on every day.
func Demo(today survey.Date, p Params) (d survey.Documents, sim *Simulation, err error) {
	if d, err = Province(); err != nil {
		return d, nil, err
	}
	d.Rounds = []survey.Round{{
		ID:         DemoRound,
		Title:      survey.Text{"vi": "Đợt khảo sát minh họa (dữ liệu mô phỏng)", "en": "Demonstration round (simulated data)"},
		Instrument: Sipas2640, Version: 1, Design: survey.DesignVisitors, Form: "full", Status: survey.StatusOpen,
		First: today.AddDays(-demoDays), Last: today.AddDays(29), Target: 80, PrimaryChannel: survey.ChannelQR,
	}}
	d.Agency = &survey.Agency{
		Name:           survey.Text{"vi": "Sở Nội vụ tỉnh Quảng Ngãi", "en": "Department of Home Affairs of Quảng Ngãi Province"},
		Short:          survey.Text{"vi": "Sở Nội vụ", "en": "Department of Home Affairs"},
		Address:        survey.Text{"vi": "(bản minh họa: địa chỉ của Sở đặt ở đây)", "en": "(demonstration: here is the address of the department)"},
		Email:          "khaosat@example.vn",
		DataProtection: survey.Text{"vi": "(bản minh họa: họ tên, điện thoại)", "en": "(demonstration: name, telephone)"},
		Operator:       survey.Text{"vi": "Sở Nội vụ tỉnh Quảng Ngãi", "en": "Department of Home Affairs of Quảng Ngãi Province"},
		Retention:      survey.Text{"vi": "Đến khi bản minh họa này dừng", "en": "Until this demonstration stops"},
		Replies: []survey.Reply{{
			Name: survey.Text{"vi": "Cổng Dịch vụ công quốc gia", "en": "National Public Service Portal"}, URL: "https://dichvucong.gov.vn",
		}},
	}
	if p.Split {
		d.Rounds[0].Version, d.Rounds[0].Form = 2, survey.FormSplit
	}
	if sim, err = Simulate(d, DemoRound, p); err != nil {
		return d, nil, fmt.Errorf("make the demonstration: %w", err)
	}
	d.Populations = sim.Populations()
	return d, sim, nil
}
