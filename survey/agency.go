package survey

import "unicode/utf8"

// Agency is who asks: what the notice to people says of the office in charge and of what
// becomes of their answers. An installation has one.
type Agency struct {
	// Name stands in sentences: "Sở Nội vụ tỉnh Quảng Ngãi". Short, where given, is what it
	// is called where there is little room: "Sở Nội vụ".
	Name  Text `json:"name" validate:"text"`
	Short Text `json:"short,omitempty" validate:"omitempty,text"`
	// Where people turn to with questions and with what the law entitles them to.
	Address Text   `json:"address,omitempty" validate:"omitempty,text"`
	Phone   string `json:"phone,omitempty" validate:"max=60"`
	Email   string `json:"email,omitempty" validate:"omitempty,email,max=200"`
	// DataProtection is who answers for the protection of personal data.
	DataProtection Text `json:"data_protection,omitempty" validate:"omitempty,text"`
	// Operator runs the server for the agency; its own name where it does so itself.
	Operator Text `json:"operator,omitempty" validate:"omitempty,text"`
	// Retention is how long answers are kept, the first half of a sentence: "24 tháng sau
	// khi đợt khảo sát kết thúc".
	Retention Text `json:"retention,omitempty" validate:"omitempty,text"`
	// Replies are where people turn to who need an answer, which a nameless form cannot give.
	Replies []Reply `json:"replies,omitempty" validate:"max=5,dive"`
}

// Reply is a place that answers people: a portal, a hotline, an office for visitors.
type Reply struct {
	Name  Text   `json:"name" validate:"text"`
	URL   string `json:"url,omitempty" validate:"omitempty,http_url,max=500"`
	Phone string `json:"phone,omitempty" validate:"max=60"`
}

// Longest names, in characters: the first screen of a small phone has room for them above
// a question.
const (
	longestAgency = 80
	longestShort  = 40
)

// ShortName is Short, or Name without one.
func (a *Agency) ShortName() Text {
	if len(a.Short) > 0 {
		return a.Short
	}
	return a.Name
}

// Lacks names, as the JSON document does, what the notice has to say by the law on personal
// data and the document does not say: who is responsible and how to reach them, who else
// has the data, how long. All of it for nil.
func (a *Agency) Lacks() []string {
	if a == nil {
		a = &Agency{}
	}
	var lacks []string
	for _, part := range []struct {
		name string
		said bool
	}{
		{"name", len(a.Name) > 0},
		{"address", len(a.Address) > 0},
		{"phone", a.Phone != "" || a.Email != ""},
		{"data_protection", len(a.DataProtection) > 0},
		{"operator", len(a.Operator) > 0},
		{"retention", len(a.Retention) > 0},
	} {
		if !part.said {
			lacks = append(lacks, part.name)
		}
	}
	return lacks
}

func (a *Agency) check() *problems {
	p := checkTags(a)
	short := func(field string, t Text, longest int) {
		for _, s := range t {
			if utf8.RuneCountInString(s) > longest {
				p.add(field, CodeTooLong, "max ", longest)
				return
			}
		}
	}
	short("name", a.Name, longestAgency)
	short("short", a.Short, longestShort)
	return p
}
