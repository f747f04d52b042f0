package web

import (
	"encoding/json"
	"html"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sipas/api/store"
	"sipas/kiosk"
	"sipas/survey"
)

// TestNotice: the page says what the law asks for as far as the agency says it, in both
// languages; what it does not say is no gap in a sentence.
func TestNotice(t *testing.T) {
	sensitive := func(d *survey.Documents) {
		for i := range d.Instruments[0].Profile {
			d.Instruments[0].Profile[i].Off = false
		}
	}
	for name, c := range map[string]struct {
		change   func(*survey.Documents)
		language string
		has, not []string
	}{
		"whole": {func(*survey.Documents) {}, "vi",
			[]string{"Sở Nội vụ tỉnh Thử. Địa chỉ: 1 đường Thử. Điện thoại: 0255 000 222. Thư điện tử: so@example.vn.", "dữ liệu cá nhân: bà Trần Thị B.",
				"Máy chủ do Công ty C vận hành theo yêu cầu của Sở Nội vụ tỉnh Thử.", "24 tháng; sau đó xóa", "nhập mã tại " + publicURL + "/r ", "trong 2 ngày làm việc",
				"xin gửi đến: Cổng D; Đường dây nóng 0255 000 333.", `href="https://cong.example.vn/gui?a=1&b=2"`, "tối đa 24 giờ"},
			[]string{"nhạy cảm", "Quay lại phiếu", "Muốn liên hệ", "chưa được ghi"}},
		"whole, in English": {func(*survey.Documents) {}, "en",
			[]string{"The server is run by Công ty C (en) on behalf of Sở Nội vụ tỉnh Thử (en).", "enter the code at " + publicURL + "/r to", "24 tháng (en); then", "Cổng D (en); Đường dây nóng (en) 0255"}, nil},
		"its own server": {func(d *survey.Documents) { d.Agency.Operator = d.Agency.Short }, "vi", []string{"Sở Nội vụ tỉnh Thử tự vận hành máy chủ."}, []string{"theo yêu cầu"}},
		"no agency":      {func(d *survey.Documents) { d.Agency = nil }, "vi", []string{"Sở Nội vụ. Muốn liên hệ, xin hỏi tại quầy.", "Thời hạn chưa được ghi ở đây"}, []string{"Máy chủ do", "Địa chỉ:", "xin gửi đến"}},
		"no agency, in English": {func(d *survey.Documents) { d.Agency = nil }, "en", []string{"Department of Home Affairs. To get in touch, please ask at the desk.", "The time is not stated here"},
			[]string{"The server is run"}},
		"a sensitive question": {sensitive, "vi", []string{"Câu hỏi sau là về dữ liệu nhạy cảm: "}, nil},
		"a sensitive question of a round that is over": {func(d *survey.Documents) {
			sensitive(d)
			d.Rounds[0].Last = "2026-11-23"
		}, "vi", nil, []string{"nhạy cảm"}},
	} {
		t.Run(name, func(t *testing.T) {
			docs := testDocuments(t)
			c.change(&docs)
			e := start(t, options{docs: &docs})
			a := e.do(call{path: "/notice?lang=" + c.language})
			body := html.UnescapeString(a.body)
			for _, want := range c.has {
				if !strings.Contains(body, want) {
					t.Errorf("it does not say %q", want)
				}
			}
			for _, bad := range append(c.not, "%!", "full.", ".;", " .", "Zgotmplz") {
				if _, text, _ := strings.Cut(body, "<main"); strings.Contains(text, bad) {
					t.Errorf("it says %q", bad)
				}
			}
			if a.status != http.StatusOK {
				t.Errorf("%d", a.status)
			}
		})
	}
}

// TestNoticeLeadsBack: to the form from which a reader came, in every language, and to
// no other place.
func TestNoticeLeadsBack(t *testing.T) {
	e := start(t, options{config: func(c *Config) { c.PublicURL = publicURL + "/khaosat"; c.FormOnly = true }})
	for query, want := range map[string][]string{
		"":                                 nil,
		"?desk=q1&lang=vi":                 {`href="/khaosat/s/Q1?lang=vi"`, `href="/khaosat/notice?desk=Q1&amp;lang=en"`},
		"?desk=Q1&shared=1&lang=en":        {`href="/khaosat/s/Q1?lang=en&amp;shared=1"`, `href="/khaosat/notice?desk=Q1&amp;lang=vi&amp;shared=1"`},
		"?desk=https://evil.example&lang=": nil,
	} {
		a := e.do(call{path: "/khaosat/notice" + query})
		for _, w := range want {
			if !strings.Contains(a.body, w) {
				t.Errorf("%s: no %s", query, w)
			}
		}
		if a.status != http.StatusOK || want == nil && strings.Contains(a.body, "/s/") {
			t.Errorf("%s: %d", query, a.status)
		}
	}
}

// TestNoticeLacks: staff, and nobody else, read what the notice does not say yet. The
// service is ready all the same.
func TestNoticeLacks(t *testing.T) {
	docs := testDocuments(t)
	docs.Agency = nil
	e := start(t, options{docs: &docs})
	read := func(right store.Right) readiness {
		var r readiness
		a := e.do(call{path: "/readyz", token: e.tokens[right]})
		if err := json.Unmarshal([]byte(a.body), &r); err != nil || r.Status != "ready" {
			t.Fatal(err, a.body)
		}
		return r
	}
	if r := read(store.RightStaff); !slices.Contains(r.Warnings, "notice_incomplete") || len(r.NoticeLacks) != 6 {
		t.Errorf("without an agency: %+v", r)
	}
	if r := read(store.RightFull); len(r.Warnings)+len(r.NoticeLacks) > 0 {
		t.Errorf("to others: %+v", r)
	}
	put := func(agency *survey.Agency) {
		body, err := json.Marshal(survey.Documents{Agency: agency})
		if err != nil {
			t.Fatal(err)
		}
		if a := e.do(call{method: "PUT", path: "/api/v1/documents", body: string(body), contentType: typeJSON, token: e.tokens[store.RightStaff]}); a.status != http.StatusOK {
			t.Fatal(a.status, a.body)
		}
	}
	agency := testDocuments(t).Agency
	agency.Retention = nil
	put(agency)
	if r := read(store.RightStaff); !slices.Equal(r.NoticeLacks, []string{"retention"}) {
		t.Errorf("with an agency: %+v", r)
	}
	put(testDocuments(t).Agency)
	if r := read(store.RightStaff); len(r.Warnings)+len(r.NoticeLacks) > 0 {
		t.Errorf("with all of it: %+v", r)
	}
}

// TestTabletHasTheNotice: a tablet gets who asks and the notice with its survey, in every
// language, about itself and not about a phone.
func TestTabletHasTheNotice(t *testing.T) {
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	read := func() (b kiosk.Bundle) {
		t.Helper()
		if err := json.Unmarshal([]byte(f.get("/api/v1/kiosk/bundle").body), &b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := read()
	for lang, want := range map[string][]string{
		"vi": {"Sở Nội vụ tỉnh Thử", "Phiếu đang làm chỉ nằm trên máy này", publicURL + "/r", "Cổng D: https://cong.example.vn/gui?a=1&b=2"},
		"en": {"Sở Nội vụ tỉnh Thử (en)", "What you have begun is on this tablet alone", publicURL + "/r", "Cổng D (en): https://"},
	} {
		var text strings.Builder
		for _, part := range b.Notice[lang] {
			text.WriteString(part.Title + "\n" + part.Text + "\n")
		}
		for _, w := range want {
			if !strings.Contains(text.String(), w) {
				t.Errorf("%s: no %q in %s", lang, w, text.String())
			}
		}
		if b.Agency[lang] != want[0] {
			t.Errorf("%s: %q asks", lang, b.Agency[lang])
		}
	}
	agency := *testDocuments(t).Agency
	agency.Retention = survey.Text{"vi": "12 tháng", "en": "12 months"}
	if _, err := e.store.PutDocuments(t.Context(), survey.Documents{Agency: &agency}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(f.get("/api/v1/kiosk/bundle").body, "12 months; then") {
		t.Error("the tablet does not get what the agency changed")
	}
}
