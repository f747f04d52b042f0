package seeds

import (
	"fmt"

	"sipas/survey"
)

// SyntheticRound is the id of the round of [Synthetic].
const SyntheticRound = "synthetic"

// Synthetic returns documents of any size for measuring speed: so many units
// with so many desks each, answering [Sipas2640] in a round of 20 weeks that
// ends on last. With [Simulate] and 90 days, 200 units of 3 desks give 54,000
// desk-days.
func Synthetic(units, desks int, last survey.Date) (survey.Documents, error) {
	d, err := Documents(Sipas2640)
	if err != nil {
		return d, err
	}
	var fields []string
	for i := range 3 {
		id := fmt.Sprintf("f%d", i+1)
		fields = append(fields, id)
		d.Fields = append(d.Fields, survey.ServiceField{ID: id, Name: numbered("Lĩnh vực", "Field", i+1)})
	}
	for u := range units {
		unit := survey.Unit{ID: fmt.Sprintf("u%04d", u+1), Type: "synthetic", Name: numbered("Đơn vị", "Unit", u+1)}
		d.Units = append(d.Units, unit)
		for k := range desks {
			d.Desks = append(d.Desks, survey.Desk{
				ID: fmt.Sprintf("U%04d-%d", u+1, k+1), Unit: unit.ID, Name: numbered("Quầy", "Counter", k+1), Fields: fields,
			})
		}
	}
	d.Rounds = []survey.Round{{
		ID: SyntheticRound, Title: survey.Text{"vi": "Dữ liệu đo tốc độ", "en": "Data for measuring speed"},
		Instrument: Sipas2640, Version: 1, Design: survey.DesignVisitors, Form: "full", Status: survey.StatusOpen,
		First: last.AddDays(-139), Last: last, Target: 80,
	}}
	return d, nil
}

func numbered(vi, en string, n int) survey.Text {
	return survey.Text{"vi": fmt.Sprintf("%s %d", vi, n), "en": fmt.Sprintf("%s %d", en, n)}
}
