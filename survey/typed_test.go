package survey

import (
	"fmt"
	"strings"
	"testing"
)

// deskOfSeed finds a generated code that has all of some characters, so that tests see
// what is read for each of them.
func deskOfSeed(t *testing.T, has string) string {
	t.Helper()
	for n := range 2_000_000 {
		code := DeskCode(fmt.Sprint(n))
		if strings.Contains(code, has) {
			return code
		}
	}
	t.Fatalf("no code has %q", has)
	return ""
}

// typedCatalogue has generated codes and such that offices chose, some of which look
// like others.
func typedCatalogue(t *testing.T, codes ...string) *Catalogue {
	t.Helper()
	d := Documents{Units: []Unit{{ID: "u", Type: "xa", Name: Text{"vi": "u", "en": "u"}}}}
	for _, code := range codes {
		d.Desks = append(d.Desks, Desk{ID: code, Unit: "u", Name: Text{"vi": "q", "en": "q"}})
	}
	c, err := NewCatalogue(d)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func found(c *Catalogue, typed string) string {
	if d := c.FindDesk(typed); d != nil {
		return d.ID
	}
	return ""
}

// TestFindDeskMangled: what chat programs, keyboards and people make of a code leads to
// its desk.
func TestFindDeskMangled(t *testing.T) {
	code := deskOfSeed(t, "0")
	one := deskOfSeed(t, "1")
	other := DeskCode("another")
	c := typedCatalogue(t, code, one, other, "S01", "QUAY.1", "U01-LAND-C03")
	half := code[:3] + "%s" + code[3:]
	wide := strings.Map(func(r rune) rune { return r - '!' + '！' }, code)
	var escaped strings.Builder
	for _, b := range []byte(code) {
		fmt.Fprintf(&escaped, "%%%02x", b)
	}
	readings := map[string]string{
		strings.ToLower(code): code, wide: code, escaped.String(): code, strings.ReplaceAll(escaped.String(), "%", "%25"): code,
		strings.ReplaceAll(code, "0", "O"): code, strings.ReplaceAll(strings.ToLower(code), "0", "o"): code,
		strings.ReplaceAll(one, "1", "I"): one, strings.ReplaceAll(one, "1", "l"): one,
		"s01.": "S01", "SO1": "S01", "s0l)": "S01", "s 01": "S01", "Quầy.1": "QUAY.1", "quay 1": "QUAY.1", "u01 land c03": "U01-LAND-C03", "U01–LAND–C03": "U01-LAND-C03",
		"https://khaosat.example.gov.vn/s/" + code:                                                         code,
		"khaosat.example.gov.vn/S/" + strings.ToLower(code) + "?fbclid=IwAR0" + other + "&utm_source=zalo": code,
		"http://khaosat.example.gov.vn:8080//s//" + code + "/":                                             code,
		"https://khaosat.example.gov.vn/khaosat/s/" + code + "#ABCD-EFGH-JKMN-PQRS-TVWX":                   code,
		"https://khaosat.example.gov.vn/qr/" + code + ".png":                                               code,
		"Mời Ông/Bà đánh giá tại https://khaosat.example.gov.vn/s/" + code + ". Xin cảm ơn!":               code,
		"<a href=\"https://khaosat.example.gov.vn/s/" + code + "\">đánh giá</a>":                           code,
		"[đánh giá](https://khaosat.example.gov.vn/s/" + code + ")":                                        code,
		"https%3A%2F%2Fkhaosat.example.gov.vn%2Fs%2F" + code + "%3Flang%3Dvi":                              code,
		"Mã quầy: " + code + ".":                                                                           code, "mã quầy " + strings.ToLower(code) + " nhé": code, "Quầy S01, cảm ơn": "S01", "Q: " + code + "; " + code: code,
		code + "&fbclid=x": code, code + "?zarsrc=410": code, code + "/": code, "/" + code: code, code + "/x": code, code + "#slip": code, code + ";jsessionid=1": code, code + "=": code,
		"S01.":              "S01",
		"s01%E2%80%8B":      "S01",
		code[:2] + "\u0301": "", "": "", " ": "", ".": "", "%": "", "%00": "", "/s/": "",
	}
	for _, tail := range []string{".", "..", "…", ")", "]", "}", ">", ",", ";", ":", "!", "?", "’", "”", "»", "\"", "'", "*", "_", "-", "–", "\u200b", "\ufeff", "%E2%80%8B", "%20", "+", "\u00a0", "\u3000", ".)", "\r\n", "\x00", " 👍"} {
		readings[code+tail] = code
		readings["("+code+tail] = code
	}
	for _, inside := range []string{" ", "-", "–", "—", "‑", "−", ".", "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u00a0", "\u202f", "%20", "+", "%C2%AD", "\u202a", "\ufe0f"} {
		readings[fmt.Sprintf(half, inside)] = code
	}
	for typed, want := range readings {
		if got := found(c, typed); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}

// TestVietnameseKeyboards: the letters that Telex and VNI make of a code's characters.
func TestVietnameseKeyboards(t *testing.T) {
	telex := map[string]string{"AA": "Â", "DD": "đ", "EE": "Ê", "AW": "Ă", "W": "ư", "AS": "Á", "EF": "È", "AR": "ả", "EX": "ẽ", "AJ": "ạ", "YS": "ý", "00": "ô", "0W": "ơ", "ANS": "án", "ATA": "ất"}
	vni := map[string]string{"A6": "â", "D9": "Đ", "E6": "ê", "A8": "ă", "A1": "á", "A2": "À", "E3": "ẻ", "E4": "ẽ", "Y5": "ỵ", "06": "ô", "07": "ơ"}
	telex["ATA"] = "ât"
	for _, keyboard := range []map[string]string{telex, vni} {
		for keys, made := range keyboard {
			code := deskOfSeed(t, keys)
			c := typedCatalogue(t, code, DeskCode("another"), "Q1", "AB")
			for _, form := range []string{made, strings.ToUpper(made)} {
				if got := found(c, strings.Replace(strings.ToLower(code), strings.ToLower(keys), form, 1)); got != code {
					t.Errorf("%s, where %s became %s: %q", code, keys, form, got)
				}
			}
		}
	}
	code := deskOfSeed(t, "AS")
	if got := found(typedCatalogue(t, code), strings.Replace(code, "AS", "A\u0301", 1)); got != code {
		t.Errorf("a mark of its own: %q", got)
	}
}

// TestFindDeskNeverAnother: an exact code wins, and where two may be meant none is.
func TestFindDeskNeverAnother(t *testing.T) {
	code, other := deskOfSeed(t, "0"), DeskCode("another")
	c := typedCatalogue(t, code, other, "S01", "S01.", "SO1", "S0-1", "AB", "A-B", "Q1", "Q12", "QL", "DD", "D9", "9Z")
	for typed, want := range map[string]string{
		"S01": "S01", "s01": "S01", "S01.": "S01.", "SO1": "SO1", "s0-1": "S0-1", "ab": "AB", "a-b": "A-B", "QL": "QL", "Q1": "Q1", "q1!": "Q1",
		"S01.)": "", "S0I": "", "s-01": "", "a b": "", "A.B": "", "QI": "", "Q1 2": "", "đ": "", "/s/S01.)": "", "/s/S01.": "",
		"https://khaosat.example.gov.vn/s/S01. Cảm ơn": "",
		code + " " + other: "", "/s/" + code + " hay /s/" + other: "", "/s/" + code + " /s/" + code: code,
		"Quầy Q1: https://khaosat.example.gov.vn/s/ZZZZZZ": "", // the address says which desk, and there is none
	} {
		if got := found(c, typed); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
	// No single wrong character of a generated code leads anywhere else.
	many := []string{code}
	for n := range 300 {
		many = append(many, DeskCode(fmt.Sprint("many ", n)))
	}
	c = typedCatalogue(t, many...)
	for i := range code {
		for _, wrong := range codeAlphabet + "OILU" {
			typed := code[:i] + string(wrong) + code[i+1:]
			if got := found(c, typed); got != "" && got != code {
				t.Errorf("%s leads to %s", typed, got)
			} else if got == code && fold(typed) != code {
				t.Errorf("%s leads to %s", typed, got)
			}
		}
	}
}

// TestReceiptAsPasted: a receipt or a slip with text around it, and no other.
func TestReceiptAsPasted(t *testing.T) {
	id, err := NewID(noon, strings.NewReader(strings.Repeat("x", 16)))
	if err != nil {
		t.Fatal(err)
	}
	receipt, second := Receipt([]byte("key"), id, nil), Receipt([]byte("other"), id, nil)
	want, err := ReceiptHash(receipt)
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.ReplaceAll(receipt, "-", "")
	for _, typed := range []string{
		receipt + ".", "“" + receipt + "”", " " + receipt + "\n", strings.ReplaceAll(receipt, "-", "–"), strings.ReplaceAll(receipt, "-", "‑"), strings.ReplaceAll(receipt, "-", "."),
		strings.ReplaceAll(receipt, "-", " - "), strings.ReplaceAll(receipt, "-", "\u200b-"), strings.Join(strings.Split(plain, ""), "\u200d"), strings.Join(strings.Split(plain, ""), " "),
		"Mã biên nhận: " + receipt + " – chỉ cần khi muốn rút phiếu.", "Mã biên nhận " + strings.ReplaceAll(receipt, "-", " "), "ma la " + strings.ToLower(plain) + ", xin rut",
		"https://khaosat.example.gov.vn/r#" + receipt, "https://khaosat.example.gov.vn/r%23" + receipt, receipt + " " + receipt,
		strings.Map(func(r rune) rune { return r - '!' + '！' }, receipt),
	} {
		if got, err := ReceiptHash(typed); err != nil || string(got) != string(want) {
			t.Errorf("%q: %x, %v", typed, got, err)
		}
	}
	for _, typed := range []string{receipt + " " + second, receipt[1:], receipt + "A", receipt + "" + second, "", strings.Repeat(receipt, 200), strings.Repeat("Ầ", 600), strings.Repeat("ẦẦẦẦ ", 150)} {
		if _, err := ReceiptHash(typed); err == nil {
			t.Errorf("%.60q is a receipt", typed)
		}
	}
}

// TestTypedIsBounded: no text takes much work to be read. Every reading that is tried is
// allocated, so that allocations tell the work, on a busy machine too.
func TestTypedIsBounded(t *testing.T) {
	c := typedCatalogue(t, DeskCode("x"), "Q1")
	for _, part := range []string{"Ầ", "ẦẦẦ ", "/s/ẦẦẦ", "/s/ẦẦẦ1234567890 ", "Đ", "A\u0301", "%25", "/s/", "S01. ", "\u200b", "ẦẦẦ4567890123456 ", "////"} {
		text := strings.Repeat(part, maxTyped/len(part))
		did := testing.AllocsPerRun(1, func() {
			c.FindDesk(text)
			_, _ = ReceiptHash(text)
		})
		t.Logf("%q over and over: %v", part, did)
		if did > 50_000 {
			t.Errorf("%q over and over is read in %v ways", part, did)
		}
	}
}

func FuzzFindDesk(f *testing.F) {
	code := DeskCode("x")
	c := &Catalogue{Desks: map[string]*Desk{code: {ID: code}, "Q1": {ID: "Q1"}}}
	c.foldDesks()
	f.Add("/s/" + code)
	f.Add("Quầy Q1.")
	f.Fuzz(func(t *testing.T, s string) {
		if d := c.Desks[s]; d != nil && c.FindDesk(s) != d {
			t.Errorf("%q is not its own desk", s)
		}
		c.FindDesk(s)
	})
}
