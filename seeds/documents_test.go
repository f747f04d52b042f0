package seeds

import (
	"reflect"
	"strings"
	"testing"
	"unicode"

	"sipas/survey"
)

// counts by factor, from DOMAIN.md: QĐ 2640 4+5+6+3+4, the form of 2022
// 4+4+5+3+3, QĐ 1001 3+4+3+3+3; sipas_a.csv as its README groups it.
func TestInstrumentsHaveTheirItems(t *testing.T) {
	for name, want := range map[string]struct {
		factors  []int
		verified int
		methods  string
		profile  int
	}{
		Sipas2640:    {[]int{4, 5, 6, 3, 4}, 7, "mean-of-criteria mean-of-factors pooled", 7},
		Sipas2022:    {[]int{4, 4, 5, 3, 3}, 13, "mean-of-criteria mean-of-factors pooled", 7},
		Sipas1001:    {[]int{3, 4, 3, 3, 3}, 0, "mean-of-criteria mean-of-factors pooled", 7},
		"statsref-a": {[]int{4, 5, 6, 4, 3}, 0, "mean-of-factors pooled weighted-means weighted-pooled mean-of-criteria", 3},
	} {
		d, err := Documents(name)
		if err != nil {
			t.Fatal(err)
		}
		in := &d.Instruments[0]
		if err := in.Prepare(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if in.ID != name || in.Version != 1 || !in.Published || len(in.Levels) != 5 {
			t.Errorf("%s is %s, published %t, with %d levels", name, in.Key(), in.Published, len(in.Levels))
		}
		n, verified := 0, 0
		for f, factor := range in.Factors {
			if len(in.Factors) != len(want.factors) || len(factor.Items) != want.factors[f] {
				t.Fatalf("%s: factor %s has %d items, want %v", name, factor.ID, len(factor.Items), want.factors)
			}
			for _, it := range factor.Items {
				n++
				if it.Verified {
					verified++
				}
				for lang, text := range it.Text {
					checkText(t, name+" "+it.ID+" "+lang, text)
				}
			}
		}
		if first, last := in.Items()[0].ID, in.Items()[n-1].ID; first != "c01" || last[0] != 'c' {
			t.Errorf("%s: items from %s to %s", name, first, last)
		}
		if verified != want.verified {
			t.Errorf("%s: %d items are verified, want %d", name, verified, want.verified)
		}
		var methods []string
		for _, m := range in.Methods {
			methods = append(methods, m.Name)
		}
		if got := strings.Join(methods, " "); got != want.methods {
			t.Errorf("%s: methods %s, want %s", name, got, want.methods)
		}
		if len(in.Profile) != want.profile {
			t.Errorf("%s: %d profile questions, want %d", name, len(in.Profile), want.profile)
		}
		for _, q := range in.Profile {
			if sensitive := q.ID == "ethnicity"; q.Sensitive != sensitive || q.Off != sensitive {
				t.Errorf("%s: question %s: sensitive %t, off %t", name, q.ID, q.Sensitive, q.Off)
			}
		}
	}
}

// checkText refuses what marks in the source documents and typing leave
// behind: abbreviations, doubled spaces, a small first letter.
func checkText(t *testing.T, where, s string) {
	t.Helper()
	first := []rune(s)[0]
	for _, bad := range []string{"CQ/BP", "PAKN", "TTHC", "HCC", "  ", "[", "?"} {
		if strings.Contains(s, bad) {
			t.Errorf("%s: %q contains %q", where, s, bad)
		}
	}
	if !unicode.IsUpper(first) || s != strings.TrimSpace(s) {
		t.Errorf("%s: %q", where, s)
	}
}

// Wording that DOMAIN.md marks as compared with its source.
func TestVerifiedWording(t *testing.T) {
	d, err := Documents(Sipas2640)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range d.Instruments[0].Factors {
		for _, it := range f.Items {
			if it.Verified {
				got[it.ID] = it.Text["vi"]
			}
			if noted := it.Note["vi"] == "Kết quả có thể là được cấp giấy tờ hoặc bị từ chối cấp giấy tờ"; noted != (f.ID == "F4") {
				t.Errorf("%s: note %q", it.ID, it.Note["vi"])
			}
		}
	}
	want := map[string]string{
		"c05": "Thủ tục hành chính được niêm yết công khai đầy đủ",
		"c09": "Thời hạn giải quyết (tính từ ngày hồ sơ được tiếp nhận đến ngày trả kết quả) là đúng quy định",
		"c10": "Công chức có thái độ giao tiếp lịch sự",
		"c12": "Công chức trả lời, giải đáp đầy đủ các ý kiến của người dân/đại diện tổ chức",
		"c13": "Công chức hướng dẫn kê khai hồ sơ tận tình, chu đáo",
		"c15": "Công chức tuân thủ đúng quy định trong giải quyết công việc",
		"c22": "Cơ quan/Bộ phận Tiếp nhận và Trả kết quả có thông báo kết quả xử lý góp ý, phản ánh, kiến nghị kịp thời",
	}
	if len(got) != len(want) {
		t.Errorf("%d verified items, want %d", len(got), len(want))
	}
	for id, text := range want {
		if got[id] != text {
			t.Errorf("%s: %q, want %q", id, got[id], text)
		}
	}
}

func TestProvince(t *testing.T) {
	d, err := Province()
	if err != nil {
		t.Fatal(err)
	}
	c, err := survey.NewCatalogue(d)
	if err != nil {
		t.Fatal(err)
	}
	kinds, former := map[string]int{}, 0
	desks := map[string]int{}
	for _, desk := range d.Desks {
		desks[desk.Unit]++
		if survey.NormaliseDeskCode(strings.ToLower(desk.ID)) != desk.ID || len(desk.Fields) == 0 || len(desk.Fields) > 3 {
			t.Errorf("desk %s of %s with fields %v", desk.ID, desk.Unit, desk.Fields)
		}
	}
	for id, u := range c.Units {
		if u.Hotline != "" || u.Leader != "" {
			t.Errorf("%s has an invented hotline or leader", id)
		}
		if u.Type == "xa" && u.ValidTo == "" {
			kinds[strings.Fields(u.Name["vi"])[0]]++
			if u.ID != "51-"+u.Code || len(u.Code) != 5 || u.ValidFrom != "2025-07-01" {
				t.Errorf("commune %+v", *u)
			}
		}
		switch n := desks[id]; {
		case u.ValidTo != "" && n > 0:
			t.Errorf("%s has ended and %d desks", id, n)
		case u.ValidTo != "":
			former++
		case u.Type == "xa" && (n < 1 || n > 2), u.Type != "xa" && (n < 2 || n > 4):
			t.Errorf("%s has %d desks", id, n)
		}
		for _, s := range u.Successors {
			if next := c.Units[s]; u.ValidTo == "" || next.ValidFrom > u.ValidTo.AddDays(1) {
				t.Errorf("%s, to %q, is followed by %s, from %q", id, u.ValidTo, s, next.ValidFrom)
			}
		}
	}
	// NQ 1677/NQ-UBTVQH15: 86 xã, 9 phường, 1 đặc khu
	if kinds["Xã"] != 86 || kinds["Phường"] != 9 || kinds["Đặc"] != 1 {
		t.Errorf("commune-level units by kind: %v", kinds)
	}
	// 13 districts, Tây Trà with seven communes, two departments, the tax department
	if former != 13+1+7+2+1 {
		t.Errorf("%d former units", former)
	}
	for id, name := range map[string]string{"51-21040": "Xã Bình Sơn", "51-21548": "Đặc khu Lý Sơn", "51-23293": "Phường Kon Tum", "51-so-noi-vu": "Sở Nội vụ"} {
		if u := c.Units[id]; u == nil || u.Name["vi"] != name || !u.Verified {
			t.Errorf("unit %s is %+v", id, u)
		}
	}
	for id, p := range c.Procedures {
		if !strings.HasPrefix(p.Name["vi"], "Ví dụ: ") || !strings.HasPrefix(p.Name["en"], "Example: ") {
			t.Errorf("procedure %s is not marked as an example", id)
		}
	}
}

func TestDemoIsOpen(t *testing.T) {
	for _, day := range []survey.Date{"2026-02-28", "2026-11-25", "2028-01-01"} {
		p := DefaultParams()
		p.Answers = 10
		d, sim, err := Demo(day, p)
		if err != nil {
			t.Fatal(err)
		}
		c, err := survey.NewCatalogue(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range sim.Units() {
			if r, why := c.RoundAt(survey.ChannelQR, u, day); why != "" || r.ID != DemoRound {
				t.Fatalf("on %s unit %s has no open round: %s", day, u, why)
			}
			if c.Populations[DemoRound+"/"+u] == nil {
				t.Fatalf("unit %s has no results returned", u)
			}
		}
		if first := sim.workdays(day.AddDays(-1))[0]; first < c.Rounds[DemoRound].First {
			t.Errorf("answers begin on %s, the round on %s", first, c.Rounds[DemoRound].First)
		}
	}
}

func TestUnknownNames(t *testing.T) {
	if _, err := Documents("none"); err == nil {
		t.Error("documents of an unknown name: no error")
	}
	if _, err := Mapping("none"); err == nil {
		t.Error("mapping of an unknown name: no error")
	}
}

// The published figures, DOMAIN.md section 6.
func TestReferenceFigures(t *testing.T) {
	want := map[int]float64{2018: 82.99, 2019: 84.45, 2020: 85.48, 2021: 87.16, 2022: 80.08, 2023: 82.66, 2024: 83.94}
	series := NationalSeries()
	if len(series) != len(want) {
		t.Fatalf("%d years", len(series))
	}
	for i, v := range series {
		if v.Year != 2018+i || v.SIPAS != want[v.Year] || v.Break != (v.Year == 2022) {
			t.Errorf("%d: %+v", v.Year, v)
		}
		if v.Lowest != 0 && (v.Lowest >= v.SIPAS || v.SIPAS >= v.Highest) || v.Valid > v.Issued && v.Issued > 0 {
			t.Errorf("%d: impossible bounds or counts: %+v", v.Year, v)
		}
		if v.Source["vi"] == "" || v.Source["en"] == "" {
			t.Errorf("%d has no source", v.Year)
		}
	}
	ids := map[string]bool{}
	for _, p := range PlanTargets() {
		ids[p.ID] = true
		if p.Name["vi"] == "" || p.Name["en"] == "" || p.High != 0 && p.High < p.Low || p.Measure != "percent" && p.Measure != "rank" {
			t.Errorf("plan target %+v", p)
		}
	}
	if len(ids) != 6 || PlanTargets()[0].Low != 80 {
		t.Errorf("plan targets %v", ids)
	}
}

// TestShortModules: version 2 of each instrument asks the same in modules of five to seven
// items, each item in one of them, and begins each with its shortest.
func TestShortModules(t *testing.T) {
	all, err := Instruments()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 6 {
		t.Fatalf("%d instruments", len(all))
	}
	for i := 0; i < len(all); i += 2 {
		one, two := &all[i], &all[i+1]
		if err := two.Prepare(); err != nil {
			t.Fatal(err)
		}
		if one.ID != two.ID || one.Version != 1 || two.Version != 2 || !reflect.DeepEqual(one.Factors, two.Factors) || !reflect.DeepEqual(one.Quick, two.Quick) {
			t.Errorf("%s and %s ask otherwise", one.Key(), two.Key())
		}
		times := map[string]int{}
		for m := range two.Modules {
			module := &two.Modules[m]
			if n := len(module.Items); n < 5 || n > 7 {
				t.Errorf("%s: module %s has %d items", two.Key(), module.ID, n)
			}
			order := two.Order(module)
			first := two.Items()[order[0]]
			for _, at := range order {
				item := two.Items()[at]
				times[item.ID]++
				if len(strings.Fields(item.Text["vi"])) < len(strings.Fields(first.Text["vi"])) {
					t.Errorf("%s: module %s begins with %s, which is longer than %s", two.Key(), module.ID, first.ID, item.ID)
				}
			}
			if first.ID != module.First {
				t.Errorf("%s: module %s begins with %s", two.Key(), module.ID, first.ID)
			}
		}
		for _, item := range two.Items() {
			if times[item.ID] != 1 {
				t.Errorf("%s: %d modules have %s", two.Key(), times[item.ID], item.ID)
			}
		}
	}
}
