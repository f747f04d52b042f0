package analysis

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sipas/stats"
	"sipas/survey"
)

var channelNames = map[survey.Channel]survey.Text{
	survey.ChannelQR:          {"vi": "Mã QR", "en": "QR code"},
	survey.ChannelKiosk:       {"vi": "Máy tính bảng tại quầy", "en": "Kiosk tablet"},
	survey.ChannelPaper:       {"vi": "Phiếu giấy", "en": "Paper form"},
	survey.ChannelInterviewer: {"vi": "Điều tra viên", "en": "Interviewer"},
	survey.ChannelPhone:       {"vi": "Điện thoại", "en": "Telephone"},
	survey.ChannelInvite:      {"vi": "Thư mời", "en": "Invitation"},
}

var (
	filingNames = map[string]survey.Text{
		"counter": {"vi": "Trực tiếp", "en": "At the counter"},
		"online":  {"vi": "Trực tuyến", "en": "Online"},
		"post":    {"vi": "Bưu chính", "en": "By post"},
	}
	doorNames = map[string]survey.Text{
		"open":  {"vi": "Mở (mã QR của quầy)", "en": "Open (desk code)"},
		"slip":  {"vi": "Phiếu hẹn (mã dùng một lần)", "en": "Slip (one-time code)"},
		"staff": {"vi": "Nhập từ tệp", "en": "Imported file"},
	}
	helpNames = map[string]survey.Text{
		"alone":    {"vi": "Tự trả lời", "en": "Alone"},
		"relative": {"vi": "Người thân giúp", "en": "With a relative's help"},
		"official": {"vi": "Cán bộ giúp", "en": "With an official's help"},
		"watched":  {"vi": "Có cán bộ đứng xem", "en": "With an official watching"},
	}
	typeNames = map[string]survey.Text{
		"so":        {"vi": "Sở, ban, ngành", "en": "Departments"},
		"huyen":     {"vi": "Cấp huyện", "en": "Districts"},
		"xa":        {"vi": "Cấp xã", "en": "Communes"},
		"nganh-doc": {"vi": "Cơ quan ngành dọc", "en": "Offices of central agencies"},
		"center":    {"vi": "Trung tâm Phục vụ hành chính công", "en": "Public administrative service centres"},
	}
	notSaid = survey.Text{"vi": "(không nêu)", "en": "(not said)"}
)

// label is the name of a value of a grouping.
func (w *writer) label(by, id string) survey.Text {
	if id == "" {
		return notSaid
	}
	var t survey.Text
	switch by {
	case "channel":
		t = channelNames[survey.Channel(id)]
	case "unit":
		if u := w.catalogue.Units[id]; u != nil {
			t = u.Name
		}
	case "desk":
		if d := w.catalogue.Desks[id]; d != nil {
			t = d.Name
			if u := w.catalogue.Units[d.Unit]; u != nil {
				t = survey.Text{"vi": d.Name.In("vi") + " – " + u.Name.In("vi"), "en": d.Name.In("en") + " – " + u.Name.In("en")}
			}
		}
	case "field":
		if f := w.catalogue.Fields[id]; f != nil {
			t = f.Name
		}
	case "filing":
		t = filingNames[id]
	case "door":
		t = doorNames[id]
	case "helped":
		t = helpNames[id]
	case "group":
		t = typeNames[id]
	default:
		for _, q := range w.instrument.Profile {
			if q.ID != by {
				continue
			}
			for _, o := range q.Options {
				if o.ID == id {
					t = o.Text
				}
			}
		}
	}
	if t == nil {
		t = survey.Text{"vi": id, "en": id}
	}
	return t
}

// commonNotices says what holds of everything that is computed from a round.
func commonNotices(r stats.RoundHeader, basis string, interim bool) (list []stats.Notice) {
	if r.Index != nil {
		list = append(list, stats.Notice{Code: "quick_index", Text: survey.Text{
			"vi": fmt.Sprintf("Đợt khảo sát dùng phiếu nhanh; số liệu là “%s”, chỉ gồm các tiêu chí của phiếu nhanh. Đây không phải SIPAS đầy đủ và không so sánh, gộp chung với SIPAS đầy đủ.", r.Index.In("vi")),
			"en": fmt.Sprintf("The round uses the quick form; its figure is “%s”, of the items of that form alone. It is not the full SIPAS, and is not compared or joined with it.", r.Index.In("en"))}})
	}
	if basis == "respondents" {
		list = append(list, stats.Notice{Code: "self_selected", Text: survey.Text{
			"vi": "Kết quả chỉ phản ánh người đã trả lời: người trả lời tự chọn tham gia, không phải mẫu ngẫu nhiên. Không so sánh, xếp hạng chung với SIPAS chọn mẫu của Bộ Nội vụ.",
			"en": "The figures speak only of those who answered: they chose to take part and are no random sample. Do not compare or rank them with the Ministry's drawn SIPAS."}})
	}
	if interim {
		list = append(list, stats.Notice{Code: "interim", Text: survey.Text{
			"vi": "Đợt khảo sát chưa kết thúc: mọi kết luận chỉ là tạm thời.",
			"en": "The round is still running: no verdict is final."}})
	}
	return list
}

// notices says what a reader must know before the figures.
func (w *writer) notices(r *stats.Report) []stats.Notice {
	list := []stats.Notice{}
	add := func(when bool, code, vi, en string) {
		if when {
			list = append(list, stats.Notice{Code: code, Text: survey.Text{"vi": vi, "en": en}})
		}
	}
	list = append(list, commonNotices(r.Round, r.Basis, r.Interim)...)
	add(w.query.Channel == allChannels && len(r.Counts.ByChannel) > 1, "channels_pooled_on_request",
		"Gộp mọi hình thức trả lời theo yêu cầu của người xem; số liệu chính của đợt theo hình thức riêng.",
		"All channels are pooled because the reader asked for it; the round's headline may be about one of them.")
	add(w.query.Channel == "" && w.channel == "" && len(r.Counts.ByChannel) > 1, "channels_pooled",
		"Gộp nhiều hình thức trả lời; đợt khảo sát không nêu hình thức chính. Xem bảng theo hình thức.",
		"Several channels are pooled; the round declares no primary one. See the table by channel.")
	add(r.Counts.OtherChannels > 0, "other_channels",
		"Phiếu thuộc các hình thức trả lời khác không nằm trong số liệu này; xem theo hình thức, hoặc chọn gộp mọi hình thức.",
		"Answers that came by other channels are not in these figures; see them by channel, or choose all channels.")
	add(r.Weighting.Kind == "none" && r.Weighting.Returned > 0 && r.Counts.Counted > 0, "population_of_others",
		"Số kết quả đã trả chỉ có ở các đơn vị chưa có đủ phiếu; chưa thể gia quyền, chỉ có số liệu không gia quyền.",
		"Results returned are known only for units without enough answers; nothing can be weighted yet, only unweighted figures are given.")
	add(r.Weighting.Kind == "none" && r.Weighting.Returned == 0 && r.Counts.Counted > 0, "no_population",
		"Chưa có số kết quả đã trả trong kỳ, nên chưa thể gia quyền; chỉ có số liệu không gia quyền.",
		"There are no figures of results returned, so nothing can be weighted; only unweighted figures are given.")
	add(w.result.RakingReason != "", "not_raked",
		"Không tìm được quyền số khớp đồng thời với số kết quả đã trả theo đơn vị, lĩnh vực và hình thức nộp, nên không có số liệu gia quyền và không kết luận; hãy kiểm tra số kết quả đã trả, hoặc chọn cách gia quyền theo ô.",
		"No weights meet the results returned by unit, field and filing channel at once, so there are no weighted figures and no verdicts; check the results returned, or weight a new round by cells.")
	merged := slices.ContainsFunc(w.result.Margins, func(classes []stats.MarginClass) bool {
		return slices.ContainsFunc(classes, func(c stats.MarginClass) bool { return len(c.Members) > 1 })
	})
	add(merged, "merged_classes",
		"Lĩnh vực hoặc hình thức nộp có dưới 10 phiếu được gộp với lĩnh vực, hình thức khác khi gia quyền.",
		"Fields or filing channels with fewer than 10 answers were merged with others for the weights.")
	if vi, en := w.withoutField(); vi != "" {
		add(true, "field_not_said",
			vi+"% số phiếu được tính không nêu lĩnh vực của thủ tục: các phiếu này nhận quyền số chung của đơn vị, nên kém chính xác hơn.",
			en+"% of the answers counted do not say the service field: they have the weight of their unit as a whole, which is less exact.")
	}
	exceeds, uncovered := false, false
	for _, c := range r.Weighting.Cells {
		exceeds = exceeds || c.Exceeds
		uncovered = uncovered || c.Uncovered && c.Returned > 0
	}
	add(exceeds, "answers_exceed_transactions",
		"Có ô quyền số mà số phiếu nhiều hơn số kết quả đã trả: số liệu sai hoặc có phiếu khống. Đơn vị liên quan, và mọi số tổng có đơn vị đó, không được kết luận.",
		"Some weight cells have more answers than results returned: wrong data or stuffing. The units concerned, and every total that has them in it, get no verdict.")
	add(r.Counts.SlipsIssued != nil && *r.Counts.SlipsReturned > *r.Counts.SlipsIssued, "slips_exceed_issued",
		"Số phiếu trả lời kèm mã phiếu hẹn nhiều hơn số phiếu hẹn đã phát: cần kiểm tra.",
		"More answers came with slips than slips were issued: this must be looked into.")
	add(r.Counts.Unreadable > 0, "unreadable_answers",
		"Có phiếu đã lưu nhưng không đọc được theo bộ phiếu của đợt, nên không có trong số liệu; xem nhật ký của máy chủ.",
		"Some stored answers do not fit the round's documents and are in no figure; the server's log says why.")
	add(uncovered, "uncovered_cells",
		"Một số đơn vị có quá ít phiếu, không được tính vào quyền số; xem bảng ô không phủ.",
		"Some units have too few answers and are left out of the weights; see the table of uncovered cells.")
	add(w.result.WeightRatio > maxWeightRatio && w.plan.Design == stats.Visitors, "weight_ratio",
		"Quyền số lớn nhất gấp hơn 5 lần quyền số nhỏ nhất: một số ít phiếu có ảnh hưởng lớn.",
		"The largest weight is more than five times the smallest: a few answers have much influence.")
	return list
}

// withoutField is the share of the answers counted, in percent and in both languages, that
// say no service field although the results returned of their units are known by field; "" is
// none.
func (w *writer) withoutField() (vi, en string) {
	byField := map[string]bool{}
	for i, k := range w.cells {
		if k.field != "" && w.plan.Cells[i].Known {
			byField[k.unit] = true
		}
	}
	without, counted := 0, 0
	for i, p := range w.places {
		if !w.plan.Places[i].In || !w.plan.Places[i].Counted {
			continue
		}
		counted += w.result.PlaceRows[i]
		if p.field == "" && byField[p.unit] {
			without += w.result.PlaceRows[i]
		}
	}
	if without == 0 {
		return "", ""
	}
	en = strconv.FormatFloat(100*float64(without)/float64(counted), 'f', 1, 64)
	return strings.Replace(en, ".", ",", 1), en
}
