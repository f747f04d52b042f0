package seeds

import "sipas/survey"

// group is one option of a profile question: how many people it describes and
// how much more content they are than others.
type group struct{ share, effect float64 }

// groups are the people of the simulation by profile question and option.
// They describe nobody: shares are round numbers. A question that is not here
// has equal shares and no effect.
var groups = map[string]map[string]group{
	"gender": {"male": {0.49, 0}, "female": {0.51, 0}},
	"age": {
		"18-24": {0.10, -0.10}, "25-34": {0.26, -0.12}, "35-49": {0.36, 0}, "50-60": {0.18, 0.12}, "60+": {0.10, 0.25},
	},
	"education": {
		"primary": {0.08, 0.15}, "lower-secondary": {0.20, 0.10}, "upper-secondary": {0.30, 0.05}, "vocational": {0.17, 0},
		"university": {0.20, -0.15}, "postgraduate": {0.03, -0.25}, "other": {0.02, 0},
	},
	"area":    {"urban": {0.25, 0}, "rural": {0.75, 0}},
	"terrain": {"mountain": {0.45, 0}, "plain": {0.53, 0}, "island": {0.02, 0}},
}

// question is a profile question as the simulation uses it.
type question struct {
	id      string
	options []string
	groups  []group
}

// questions are the questions of an instrument that a form shows.
func questions(in *survey.Instrument) []question {
	var all []question
	for _, q := range in.Profile {
		if q.Off {
			continue
		}
		x := question{id: q.ID}
		for _, o := range q.Options {
			g, known := groups[q.ID][o.ID]
			if !known {
				g = group{share: 1 / float64(len(q.Options))}
			}
			x.options = append(x.options, o.ID)
			x.groups = append(x.groups, g)
		}
		all = append(all, x)
	}
	return all
}

// mixture is the distribution of the sum of all group effects, as shares and
// effects: people of every combination that matters.
func mixture(qs []question) []group {
	mix := []group{{share: 1}}
	for _, q := range qs {
		flat := true
		for _, g := range q.groups {
			flat = flat && g.effect == 0
		}
		if flat {
			continue
		}
		var next []group
		for _, m := range mix {
			for _, g := range q.groups {
				next = append(next, group{m.share * g.share, m.effect + g.effect})
			}
		}
		mix = next
	}
	return mix
}

// What people write in the demonstration, when they are content and when they
// are not.
var (
	goodComments = []string{
		"Cán bộ hướng dẫn rất nhiệt tình, dễ hiểu.",
		"Hồ sơ trả trước hẹn, cảm ơn các anh chị.",
		"Chỗ ngồi chờ sạch sẽ, thoáng mát.",
		"Thủ tục nhanh gọn hơn trước nhiều.",
		"Tôi hài lòng, mong giữ được như vậy.",
		"Cán bộ giải thích rõ từng giấy tờ cần nộp.",
	}
	badComments = []string{
		"Phải đi lại ba lần mới đủ giấy tờ.",
		"Chờ lâu, số quầy tiếp nhận còn ít.",
		"Kết quả trễ hẹn mà không được báo trước.",
		"Đề nghị hướng dẫn đầy đủ ngay từ lần đầu.",
		"Máy lấy số hay hỏng, nên sửa sớm.",
		"Góp ý rồi nhưng chưa thấy trả lời.",
	}
)
