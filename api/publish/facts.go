package publish

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"sipas/stats"
	"sipas/survey"
)

// fact is one thing about a report that is not an estimate.
type fact struct {
	// id is the path in the JSON.
	id, name, text string
}

// metaOf lists what a reader must know to use the report, in the order of the
// JSON.
func metaOf(r *stats.Report, lang string) []fact {
	var list []fact
	add := func(id, text string) {
		list = append(list, fact{id: id, name: factTexts[id].In(lang), text: text})
	}
	add("round.id", r.Round.ID)
	add("round.title", r.Round.Title.In(lang))
	add("round.instrument", r.Round.Instrument)
	add("round.version", strconv.Itoa(r.Round.Version))
	add("round.legal_basis", r.Round.LegalBasis)
	add("round.design", r.Round.Design)
	add("round.first", string(r.Round.First))
	add("round.last", string(r.Round.Last))
	add("round.target", formatFloat(r.Round.Target))
	if r.Round.Index != nil {
		add("round.index", r.Round.Index.In(lang))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Filter)) {
		list = append(list, fact{"filter." + name, factTexts["filter"].In(lang), r.Filter[name]})
	}
	add("basis", r.Basis)
	add("interim", strconv.FormatBool(r.Interim))
	add("method.name", r.Method.Name)
	add("method.version", strconv.Itoa(r.Method.Version))
	add("method.combine", r.Method.Combine)
	add("method.factor_weights", numbers(r.Method.FactorWeights))
	for _, m := range r.Methods {
		of := func(part, text string) {
			list = append(list, fact{"methods." + m.Name + "." + part, factTexts["method."+part].In(lang), text})
		}
		of("version", strconv.Itoa(m.Version))
		of("combine", m.Combine)
		of("factor_weights", numbers(m.FactorWeights))
	}
	add("weighting.kind", r.Weighting.Kind)
	add("weighting.returned", strconv.Itoa(r.Weighting.Returned))
	add("weighting.covered", strconv.Itoa(r.Weighting.Covered))
	add("weighting.unreachable", strconv.Itoa(r.Weighting.Unreachable))
	ratio := ""
	if r.Weighting.LargestRatio != nil {
		ratio = formatFloat(*r.Weighting.LargestRatio)
	}
	add("weighting.largest_ratio", ratio)
	add("level", formatFloat(r.Level))
	add("cut_off", formatTime(r.CutOff))
	add("software", r.Software)
	add("by", r.By)
	return list
}

func numbers(values []float64) string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = formatFloat(v)
	}
	return strings.Join(list, " ")
}

// tally is one count of answers. Its id is the path below counts in the JSON.
type tally struct {
	id, name string
	n        int
}

func countsOf(c *stats.Counts, lang string) []tally {
	list := []tally{{"received", "", c.Received}, {"counted", "", c.Counted}, {"invalid", "", c.Invalid},
		{"excluded", "", c.Excluded}, {"flagged", "", c.Flagged}, {"other_channels", "", c.OtherChannels}, {"late", "", c.Late}, {"unreadable", "", c.Unreadable}}
	if c.SlipsIssued != nil {
		list = append(list, tally{"slips_issued", "", *c.SlipsIssued}, tally{"slips_returned", "", *c.SlipsReturned})
	}
	for i := range list {
		list[i].name = factTexts[list[i].id].In(lang)
	}
	list = append(list, talliesOf("by_channel.", c.ByChannel, lang)...)
	list = append(list, talliesOf("by_door.", c.ByDoor, lang)...)
	return append(list, talliesOf("by_flag.", c.ByFlag, lang)...)
}

// talliesOf lists channels in the order of reports, doors and flags by name.
func talliesOf(prefix string, counts map[string]int, lang string) []tally {
	keys := slices.Sorted(maps.Keys(counts))
	slices.SortStableFunc(keys, func(a, b string) int {
		return slices.Index(survey.Channels, survey.Channel(a)) - slices.Index(survey.Channels, survey.Channel(b))
	})
	list := make([]tally, len(keys))
	for i, key := range keys {
		list[i] = tally{prefix + key, word(answerTexts, prefix+key, key, lang), counts[key]}
	}
	return list
}

// members writes the members of a cell as field/filing.
func members(c *stats.CellFigures) string {
	list := make([]string, len(c.Members))
	for i, m := range c.Members {
		list[i] = m.Field + "/" + m.Filing
	}
	return strings.Join(list, " ")
}

// word looks a code up; a code that is not known stands for itself.
func word(texts map[string]survey.Text, key, code, lang string) string {
	if t, ok := texts[key]; ok {
		return t.In(lang)
	}
	return code
}

var factTexts = map[string]survey.Text{
	"round.id":                {"vi": "Mã đợt khảo sát", "en": "Round"},
	"round.index":             {"vi": "Tên chỉ số", "en": "Name of the index"},
	"round.title":             {"vi": "Tên đợt khảo sát", "en": "Title of the round"},
	"round.instrument":        {"vi": "Bộ phiếu", "en": "Instrument"},
	"round.version":           {"vi": "Phiên bản bộ phiếu", "en": "Version of the instrument"},
	"round.legal_basis":       {"vi": "Căn cứ pháp lý", "en": "Legal basis"},
	"round.design":            {"vi": "Cách thu phiếu", "en": "Design"},
	"round.first":             {"vi": "Từ ngày", "en": "First day"},
	"round.last":              {"vi": "Đến ngày", "en": "Last day"},
	"round.target":            {"vi": "Chỉ tiêu (%)", "en": "Target (%)"},
	"filter":                  {"vi": "Bộ lọc", "en": "Filter"},
	"basis":                   {"vi": "Phạm vi kết luận", "en": "Basis"},
	"interim":                 {"vi": "Tạm thời", "en": "Interim"},
	"method.name":             {"vi": "Phương pháp tính", "en": "Method"},
	"method.version":          {"vi": "Phiên bản phương pháp", "en": "Version of the method"},
	"method.combine":          {"vi": "Cách gộp tiêu chí", "en": "How items combine"},
	"method.factor_weights":   {"vi": "Trọng số các yếu tố", "en": "Weights of the factors"},
	"weighting.kind":          {"vi": "Gia quyền", "en": "Weighting"},
	"weighting.returned":      {"vi": "Số kết quả đã trả", "en": "Results returned"},
	"weighting.covered":       {"vi": "Số kết quả được phủ bởi quyền số", "en": "Results covered by the weights"},
	"weighting.unreachable":   {"vi": "Số kết quả không kênh nào tiếp cận được", "en": "Results that no door could reach"},
	"weighting.largest_ratio": {"vi": "Quyền số lớn nhất so với nhỏ nhất", "en": "Largest weight over the smallest"},
	"level":                   {"vi": "Độ tin cậy (%)", "en": "Confidence level (%)"},
	"cut_off":                 {"vi": "Số liệu đến", "en": "Data until"},
	"software":                {"vi": "Phiên bản phần mềm", "en": "Software"},
	"by":                      {"vi": "Phân nhóm theo", "en": "Grouped by"},
	"received":                {"vi": "Nhận", "en": "Received"},
	"counted":                 {"vi": "Được tính", "en": "Counted"},
	"invalid":                 {"vi": "Không hợp lệ", "en": "Invalid"},
	"excluded":                {"vi": "Bị loại", "en": "Excluded"},
	"flagged":                 {"vi": "Bị đánh dấu", "en": "Flagged"},
	"other_channels":          {"vi": "Hình thức khác", "en": "Other channels"},
	"slips_issued":            {"vi": "Phiếu hẹn đã phát mã", "en": "Slips issued"},
	"slips_returned":          {"vi": "Trả lời kèm mã phiếu hẹn", "en": "Slips returned"},
	"late":                    {"vi": "Máy tính bảng gửi sau khi đợt kết thúc", "en": "Sent by tablets after the end of the round"},
	"unreadable":              {"vi": "Không đọc được", "en": "Unreadable"},
}

// answerTexts names channels, doors and flags.
var answerTexts = map[string]survey.Text{
	"by_channel.qr":             {"vi": "Mã QR", "en": "QR code"},
	"by_channel.kiosk":          {"vi": "Ki-ốt", "en": "Kiosk"},
	"by_channel.paper":          {"vi": "Phiếu giấy", "en": "Paper"},
	"by_channel.interviewer":    {"vi": "Phỏng vấn", "en": "Interviewer"},
	"by_channel.phone":          {"vi": "Điện thoại", "en": "Phone"},
	"by_channel.invite":         {"vi": "Thư mời", "en": "Invitation"},
	"by_door.open":              {"vi": "Mã dùng chung tại quầy", "en": "Open code of a desk"},
	"by_door.slip":              {"vi": "Mã dùng một lần", "en": "One-time slip"},
	"by_door.staff":             {"vi": "Cán bộ nhập", "en": "Entered by staff"},
	"by_flag.straight_line":     {"vi": "Trả lời cùng một mức", "en": "All at one level"},
	"by_flag.outside_hours":     {"vi": "Ngoài giờ", "en": "Outside hours"},
	"by_flag.clock_unsure":      {"vi": "Đồng hồ máy tính bảng chưa được kiểm chứng", "en": "Tablet clock not verified"},
	"by_flag.unstamped":         {"vi": "Không gửi từ phiếu mở trong ngày", "en": "Not sent from a form opened that day"},
	"by_flag.trap":              {"vi": "Điền vào ô mà người không nhìn thấy", "en": "Filled in a field that people do not see"},
	"by_flag.speeding":          {"vi": "Trả lời quá nhanh", "en": "Faster than one can read"},
	"by_flag.burst":             {"vi": "Dồn dập trong một giờ", "en": "Too many in an hour"},
	"by_flag.duplicate_pattern": {"vi": "Trùng lặp trong ngày", "en": "Same uncommon answers on a day"},
}
