package survey

import (
	"slices"
	"testing"
)

func testAgency(replies ...Reply) *Agency {
	return &Agency{Name: Text{"vi": "Sở", "en": "Department"}, Replies: replies}
}

// What the law asks a notice to say; an e-mail address is as good as a telephone.
func TestAgencyLacks(t *testing.T) {
	text := Text{"vi": "a", "en": "a"}
	whole := Agency{Name: text, Address: text, Email: "a@b.vn", DataProtection: text, Operator: text, Retention: text}
	bare := *testAgency()
	for name, c := range map[string]struct {
		agency *Agency
		want   []string
	}{
		"none":  {nil, []string{"name", "address", "phone", "data_protection", "operator", "retention"}},
		"bare":  {&bare, []string{"address", "phone", "data_protection", "operator", "retention"}},
		"whole": {&whole, nil},
	} {
		if got := c.agency.Lacks(); !slices.Equal(got, c.want) {
			t.Errorf("%s lacks %q, want %q", name, got, c.want)
		}
	}
	if got := bare.ShortName()["vi"]; got != "Sở" {
		t.Errorf("the short name of an agency without one is %q", got)
	}
}
