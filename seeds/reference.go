package seeds

import (
	"strconv"

	"sipas/survey"
)

// NationalValue is the published national SIPAS of one year, all shares in
// percent. It is a reference line, never this province's own result.
type NationalValue struct {
	Year  int     `json:"year"`
	SIPAS float64 `json:"sipas"`
	// Service is the value of the service block alone, where it was published
	// beside the whole; else 0.
	Service float64 `json:"service,omitempty"`
	// Lowest and Highest are those of the provinces; 0 where not known.
	Lowest  float64 `json:"lowest,omitempty"`
	Highest float64 `json:"highest,omitempty"`
	// Issued, Returned and Valid count questionnaires; 0 where not known.
	Issued   int `json:"issued,omitempty"`
	Returned int `json:"returned,omitempty"`
	Valid    int `json:"valid,omitempty"`
	// Break says that the method differs from the year before: no line joins
	// the two, and their difference means nothing.
	Break  bool        `json:"break,omitempty"`
	Source survey.Text `json:"source"`
}

// NationalSeries returns the values that the Ministry of Home Affairs published
// for 2018 to 2024, by year. In 2022 the survey was designed anew with
// household samples: a break.
func NationalSeries() []NationalValue {
	series := []NationalValue{
		{Year: 2018, SIPAS: 82.99, Lowest: 69.98, Highest: 97.88},
		{Year: 2019, SIPAS: 84.45, Issued: 36630, Valid: 35268},
		{Year: 2020, SIPAS: 85.48},
		{Year: 2021, SIPAS: 87.16, Lowest: 82.79, Highest: 94.07, Issued: 30000, Returned: 28439, Valid: 28372},
		{Year: 2022, SIPAS: 80.08, Lowest: 72.54, Highest: 87.59, Break: true},
		{Year: 2023, SIPAS: 82.66, Lowest: 75.03, Highest: 90.61},
		{Year: 2024, SIPAS: 83.94, Service: 84.09, Valid: 36525},
	}
	for i, v := range series {
		year := strconv.Itoa(v.Year)
		series[i].Source = survey.Text{
			"vi": "Bộ Nội vụ, công bố Chỉ số SIPAS năm " + year,
			"en": "Ministry of Home Affairs, SIPAS of " + year + " as published",
		}
	}
	return series
}

// PlanTarget is one target of the province's plan of 2018 to raise its PAR
// INDEX: a reference line that staff may change, nothing that is computed.
type PlanTarget struct {
	ID   string      `json:"id"`
	Name survey.Text `json:"name"`
	// Low and High bound the target; equal when it is one value, High 0 when it
	// is "at least Low".
	Low  float64 `json:"low"`
	High float64 `json:"high,omitempty"`
	// Measure is "percent" or "rank"; of ranks the smaller is the better.
	Measure string `json:"measure"`
}

// PlanTargets returns the targets of the plan, SIPAS first.
func PlanTargets() []PlanTarget {
	return []PlanTarget{
		{"sipas", survey.Text{"vi": "Chỉ số hài lòng (SIPAS)", "en": "Satisfaction index (SIPAS)"}, 80, 0, "percent"},
		{"on-time", survey.Text{"vi": "Hồ sơ giải quyết đúng hẹn", "en": "Dossiers completed on time"}, 95, 100, "percent"},
		{"online", survey.Text{"vi": "Hồ sơ giải quyết trực tuyến mức độ 3, 4", "en": "Dossiers handled online at levels 3 and 4"}, 30, 40, "percent"},
		{"iso-offices", survey.Text{"vi": "Cơ quan cấp tỉnh, cấp huyện áp dụng ISO 9001:2015", "en": "Provincial and district offices that apply ISO 9001:2015"}, 100, 100, "percent"},
		{"iso-communes", survey.Text{"vi": "Đơn vị cấp xã áp dụng ISO 9001:2015", "en": "Communes that apply ISO 9001:2015"}, 40, 40, "percent"},
		{"par-index-rank", survey.Text{"vi": "Xếp hạng PAR INDEX trong 63 tỉnh, thành phố", "en": "PAR INDEX rank among 63 provinces"}, 45, 50, "rank"},
	}
}
