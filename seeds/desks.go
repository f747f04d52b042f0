package seeds

import (
	"fmt"

	"sipas/survey"
)

// deskPlan lists, for one unit, the service fields of each of its desks.
type deskPlan struct {
	unit  string
	name  survey.Text
	desks [][]string
}

// officePlans are the desks of the present provincial offices.
var officePlans = []deskPlan{
	{"51-trung-tam-phuc-vu-hcc", survey.Text{"vi": "Trung tâm Phục vụ hành chính công tỉnh", "en": "Provincial Public Administrative Service Centre"},
		[][]string{{"dat-dai"}, {"xay-dung", "lao-dong"}, {"dang-ky-kinh-doanh"}, {"tu-phap", "bao-tro-xa-hoi", "cu-tru"}}},
	{"51-so-noi-vu", survey.Text{"vi": "Bộ phận Một cửa Sở Nội vụ", "en": "One-stop desk of the Department of Home Affairs"},
		[][]string{{"lao-dong"}, {"to-chuc-hoi"}}},
	{"51-so-tu-phap", survey.Text{"vi": "Bộ phận Một cửa Sở Tư pháp", "en": "One-stop desk of the Department of Justice"},
		[][]string{{"tu-phap"}, {"tu-phap", "chung-thuc"}, {"ho-tich"}}},
	{"51-so-tai-chinh", survey.Text{"vi": "Bộ phận Một cửa Sở Tài chính", "en": "One-stop desk of the Department of Finance"},
		[][]string{{"dang-ky-kinh-doanh"}, {"dang-ky-kinh-doanh"}, {"xay-dung"}}},
	{"51-so-khoa-hoc-cong-nghe", survey.Text{"vi": "Bộ phận Một cửa Sở Khoa học và Công nghệ", "en": "One-stop desk of the Department of Science and Technology"},
		[][]string{{"khoa-hoc-cong-nghe"}, {"khoa-hoc-cong-nghe"}}},
	{"51-van-phong-ubnd", survey.Text{"vi": "Bộ phận Một cửa Văn phòng Ủy ban nhân dân tỉnh", "en": "One-stop desk of the Office of the Provincial People's Committee"},
		[][]string{{"dat-dai"}, {"xay-dung"}}},
	{"51-thue-tinh", survey.Text{"vi": "Bộ phận Một cửa Thuế tỉnh", "en": "One-stop desk of the Provincial Tax Office"},
		[][]string{{"thue"}, {"thue", "dat-dai"}, {"thue", "dang-ky-kinh-doanh"}}},
}

// The desks of a commune's service centre: a small centre has one, a large one
// two.
var (
	smallCentre = [][]string{{"ho-tich", "chung-thuc", "dat-dai"}}
	largeCentre = [][]string{{"ho-tich", "chung-thuc", "cu-tru"}, {"dat-dai", "xay-dung", "bao-tro-xa-hoi"}}
)

func officeDesks() []survey.Desk {
	var all []survey.Desk
	for _, p := range officePlans {
		all = append(all, p.build("")...)
	}
	return all
}

// communeDesks places the desks in the commune's Public Administrative Service
// Centre. Wards and every second other commune count as large: the real sizes
// are for the province to enter.
func communeDesks(communes []commune) []survey.Desk {
	var all []survey.Desk
	for i, c := range communes {
		kind := communeKinds[c.kind]
		plan := deskPlan{unit: c.unitID(), desks: smallCentre, name: survey.Text{
			"vi": "Trung tâm Phục vụ hành chính công " + kind.small + " " + c.name,
			"en": "Public Administrative Service Centre of " + c.name + " " + kind.english,
		}}
		if kind.small == "phường" || i%2 == 0 {
			plan.desks = largeCentre
		}
		all = append(all, plan.build(communesFrom)...)
	}
	return all
}

// build makes the desks. Their codes are drawn from unit and number, so that
// posters stay right when the documents are made again.
func (p deskPlan) build(from survey.Date) []survey.Desk {
	desks := make([]survey.Desk, len(p.desks))
	for i, fields := range p.desks {
		desks[i] = survey.Desk{
			ID: survey.DeskCode(fmt.Sprintf("%s/%d", p.unit, i+1)), Unit: p.unit, Fields: fields, ValidFrom: from,
			Name: survey.Text{
				"vi": fmt.Sprintf("Quầy số %d - %s", i+1, p.name["vi"]),
				"en": fmt.Sprintf("Counter %d - %s", i+1, p.name["en"]),
			},
		}
	}
	return desks
}
