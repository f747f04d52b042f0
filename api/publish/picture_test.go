package publish

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"

	"sipas/stats"
	"sipas/survey"
)

func smallPicture() *stats.Picture {
	made, before := survey.Date("2026-11-25"), survey.Date("2026-11-18")
	met := stats.Met
	return &stats.Picture{
		Round: stats.RoundHeader{ID: "r1", Title: survey.Text{"vi": "Đợt một", "en": "Round one"}}, Made: made, Next: "2026-11-30", Basis: "respondents", Level: 95,
		Factors: []stats.PictureMeasure{{ID: "f1", Text: survey.Text{"vi": "Tiếp cận", "en": "Access"}}}, Items: []stats.PictureMeasure{{ID: "c07", Text: survey.Text{"vi": "Chỗ ngồi", "en": "Seats"}}},
		Cells: []stats.PictureCell{
			{Label: survey.Text{"vi": "Đợt một", "en": "Round one"}, AsOf: &made, N: ptr(123), Returned: ptr(4567), ResponseRate: ptr(2.7), Verdict: &stats.Decision{Verdict: &met, Target: 80},
				Weighting: "raked", Index: &stats.PictureFigure{Value: ptr(88.5), Low: ptr(81.5), High: ptr(91.5)}, Factors: []stats.PictureFigure{{Value: ptr(77.5)}}, Items: []stats.PictureFigure{{Reason: "no_answers"}}},
			{By: "unit", ID: "a", Label: survey.Text{"vi": "=Xã A", "en": "=Commune A"}, AsOf: &before, N: ptr(0)},
			{By: "unit", ID: "b", Label: survey.Text{"vi": "Xã B", "en": "Commune B"}, Hidden: "primary"},
			{By: "desk", Unit: "a", ID: "Q1", Label: survey.Text{"vi": "Quầy 1", "en": "Desk 1"}, Hidden: "complementary"},
		},
	}
}

func TestPictureCSV(t *testing.T) {
	var out bytes.Buffer
	if err := PictureCSV(&out, smallPicture(), "vi"); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]map[string]string{}
	for _, line := range lines[1:] {
		cells := map[string]string{}
		for i, v := range line {
			if v != "" {
				cells[lines[0][i]] = v
			}
		}
		seen[strings.Join([]string{cells["by"], cells["group"], cells["measure"], cells["id"]}, " ")] = cells
	}
	for key, want := range map[string]map[string]string{
		"  verdict ":      {"n": "123", "returned": "4567", "response_rate": "2.7", "verdict": "met", "as_of": "2026-11-25", "weighting": "raked"},
		"  index ":        {"value": "88.5", "low": "81.5", "high": "91.5"},
		"  factor f1":     {"value": "77.5", "name": "Tiếp cận"},
		"  item c07":      {"reason": "no_answers"},
		"unit a verdict ": {"n": "0", "as_of": "2026-11-18", "label": "'=Xã A"},
		"unit b hidden ":  {"hidden": "primary"},
		"desk Q1 hidden ": {"hidden": "complementary", "unit": "a"},
		"  meta made":     {"text": "2026-11-25"},
	} {
		for column, v := range want {
			if seen[key][column] != v {
				t.Errorf("line %q: %s is %q, want %q", key, column, seen[key][column], v)
			}
		}
	}
	for _, key := range []string{"unit b hidden ", "desk Q1 hidden "} {
		for column := range seen[key] {
			switch column {
			case "by", "unit", "group", "label", "hidden", "measure":
			default:
				t.Errorf("the hidden line %q tells %s", key, column)
			}
		}
	}
}

func TestPictureTable(t *testing.T) {
	for lang, want := range map[string][]string{
		"vi": {"88,5", "81,5", "123", "Đạt mục tiêu", "2026-11-18", "Ẩn: quá ít phiếu", "Ẩn: để không suy ra được nhóm khác"},
		"en": {"88.5", "Target met", "Hidden: too few answers", "Hidden: another group would follow from it"},
	} {
		var out bytes.Buffer
		if err := WritePicture(&out, smallPicture(), "table", lang); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%s lacks %q:\n%s", lang, w, out.String())
			}
		}
	}
	if err := WritePicture(&bytes.Buffer{}, smallPicture(), "pdf", "vi"); err == nil {
		t.Error("a format that there is none of")
	}
}
