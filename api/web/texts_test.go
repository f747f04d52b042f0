package web

import (
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"sipas/api/analysis"
	"sipas/seeds"
	"sipas/survey"
)

// TestTextsComplete: both languages say everything, with the same arguments, and
// every key that code or templates use exists.
func TestTextsComplete(t *testing.T) {
	texts := loadTexts()
	if !slices.Equal(texts.languages, []string{"vi", "en"}) {
		t.Fatal(texts.languages)
	}
	vi, en := texts.byLanguage["vi"], texts.byLanguage["en"]
	verbs := regexp.MustCompile(`%[a-z]`)
	for _, key := range slices.Sorted(maps.Keys(vi)) {
		if en[key] == "" || vi[key] == "" {
			t.Errorf("%s is missing in one language", key)
		}
		if !slices.Equal(verbs.FindAllString(vi[key], -1), verbs.FindAllString(en[key], -1)) {
			t.Errorf("%s has other arguments in each language", key)
		}
	}
	if len(vi) != len(en) {
		t.Errorf("%d texts in Vietnamese, %d in English", len(vi), len(en))
	}
	used := regexp.MustCompile(`(?:\.T|Say "vi"|Say "en") "([a-z_.-]+)"`)
	files, err := fs.Glob(pageFiles, "page/*.html")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		b, err := fs.ReadFile(pageFiles, file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
		for _, m := range used.FindAllStringSubmatch(string(b), -1) {
			if vi[m[1]] == "" {
				t.Errorf("%s says %q, which is not in the catalogue", file, m[1])
			}
		}
	}
	for code := range statuses {
		if vi["error."+string(code)] == "" && survey.Message(code, "vi") == string(code) {
			t.Errorf("error %s has no message", code)
		}
	}
	lists := map[string][]string{"filing": survey.Filings, "helped": survey.Helps, "grouping": analysis.Groupings, "door": {"open", "slip", "staff"},
		"flag": (^survey.Flags(0)).Names(), "status": {"draft", "open", "closed"}, "design": {"visitors", "drawn", "household"}, "basis": {"respondents", "population"}}
	for _, c := range survey.Channels {
		lists["channel"] = append(lists["channel"], string(c))
	}
	instruments, err := seeds.Instruments()
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range instruments {
		for _, m := range in.Methods {
			lists["method"] = append(lists["method"], m.Name)
		}
	}
	for list, codes := range lists {
		for _, code := range codes {
			if vi[list+"."+code] == "" {
				t.Errorf("%s.%s is not in the catalogue", list, code)
			}
		}
	}
}

// TestVietnameseIsVietnamese: a text without its diacritics is a mistake.
func TestVietnameseIsVietnamese(t *testing.T) {
	plain := map[string]bool{"report.show": true, "full.who.name": true}
	for key, text := range loadTexts().byLanguage["vi"] {
		marked := strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
		if !marked && !plain[key] {
			t.Errorf("%s: %q", key, text)
		}
	}
}

// TestNegotiate chooses a language.
func TestNegotiate(t *testing.T) {
	texts := loadTexts()
	for _, c := range []struct{ asked, accepted, want string }{
		{"", "", "vi"}, {"en", "vi", "en"}, {"xx", "en", "en"}, {"", "fr,de", "vi"}, {"", "fr, en;q=0.5, vi;q=0.4", "en"}, {"", "en-US,en;q=0.9,vi;q=0.8", "en"},
		{"", "vi-VN,en;q=0.9", "vi"}, {"", "EN-gb", "en"}, {"", "en;q=x,vi", "vi"}, {"", ";;,,q=", "vi"}, {"", "en;q=0", "vi"}, {"../vi", "", "vi"},
	} {
		if got := texts.negotiate(c.asked, c.accepted); got != c.want {
			t.Errorf("?lang=%s, Accept-Language %q: %s, want %s", c.asked, c.accepted, got, c.want)
		}
	}
}

// TestLanguageInPart: a language that has some texts says those, and what it lacks
// in Vietnamese: the catalogue's and the questions' own.
func TestLanguageInPart(t *testing.T) {
	waits(t)
	e := start(t, options{})
	e.server.texts.byLanguage["hre"] = map[string]string{"language.name": "Hrê", "form.send": "(gửi bằng tiếng Hrê)"}
	e.server.texts.languages = append(e.server.texts.languages, "hre")
	a := e.do(call{path: "/s/" + testDesk, header: map[string]string{"Accept-Language": "hre, en;q=0.5"}})
	for _, want := range []string{`<html lang="hre">`, "(gửi bằng tiếng Hrê)", e.server.texts.say("vi", "form.more"), "Nơi ngồi chờ"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if !strings.Contains(e.do(call{path: "/s/" + testDesk + "?lang=vi"}).body, `hreflang="hre"`) {
		t.Error("the page does not offer the language")
	}
	v := formValues(e, testDesk)
	receiptOn(t, e.postForm(v, "?lang=hre"))
	if r := e.stored()[0]; r.Language != "vi" { // that in which the questions were read
		t.Errorf("stored as %q", r.Language)
	}
}
