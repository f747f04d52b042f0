package survey

// messages has one sentence for every code that a person may see.
var messages = map[Code]Text{
	CodeRequired:          {"vi": "Thiếu thông tin bắt buộc.", "en": "This value is required."},
	CodeTooLong:           {"vi": "Nội dung quá dài.", "en": "This value is too long."},
	CodeInvalid:           {"vi": "Giá trị không hợp lệ.", "en": "This value is not valid."},
	CodeUTF8:              {"vi": "Nội dung chứa ký tự không đọc được (không phải UTF-8).", "en": "The text is not valid UTF-8."},
	CodeIDInvalid:         {"vi": "Mã phiếu không hợp lệ (phải là UUID phiên bản 7).", "en": "The id is not a UUID of version 7."},
	CodeIDHour:            {"vi": "Thời gian trong mã phiếu phải là giờ tròn.", "en": "The time inside the id must be a whole hour."},
	CodeDeskUnknown:       {"vi": "Không có quầy nào mang mã này.", "en": "No desk has this code."},
	CodeDeskClosed:        {"vi": "Quầy này hiện không còn hoạt động.", "en": "This desk is not in service."},
	CodeRoundUnknown:      {"vi": "Không có đợt khảo sát này.", "en": "There is no such round."},
	CodeRoundNotOpen:      {"vi": "Đợt khảo sát chưa mở.", "en": "The round is not open yet."},
	CodeRoundClosed:       {"vi": "Đợt khảo sát đã kết thúc.", "en": "The round is closed."},
	CodeRoundUnit:         {"vi": "Đơn vị của quầy này không thuộc đợt khảo sát.", "en": "The desk's unit does not take part in this round."},
	CodeInstrument:        {"vi": "Bộ phiếu không đúng với đợt khảo sát.", "en": "This is not the instrument of the round."},
	CodeVersion:           {"vi": "Không có phiên bản này của bộ phiếu.", "en": "The instrument has no such published version."},
	CodeItemUnknown:       {"vi": "Bộ phiếu không có tiêu chí này.", "en": "The instrument has no such item."},
	CodeLevelRange:        {"vi": "Mức trả lời nằm ngoài thang đo.", "en": "The level is outside the scale."},
	CodeNotInModule:       {"vi": "Phiếu rút gọn này không hỏi tiêu chí đó.", "en": "This split form does not ask that item."},
	CodeModuleUnknown:     {"vi": "Phần câu hỏi của phiếu rút gọn không đúng.", "en": "Not the module of this split form."},
	CodeSlipRequired:      {"vi": "Đợt này chỉ nhận phiếu trả lời kèm mã in trên phiếu hẹn.", "en": "This round takes only answers with the code of an appointment slip."},
	CodeSlipInvalid:       {"vi": "Mã trên phiếu hẹn không đúng, hoặc không phải của quầy và đợt này; xin xem lại.", "en": "This is not a code of a slip of this desk and round; please check it."},
	CodeSlipSpent:         {"vi": "Mã trên phiếu hẹn này đã được dùng. Mỗi mã chỉ dùng một lần.", "en": "The code of this slip was used. Each can be used once."},
	CodeNotAsked:          {"vi": "Tiêu chí này có trong phiếu, không thể ghi là không hỏi.", "en": "The form contains this item; it cannot be marked as not asked."},
	CodeNothingAnswered:   {"vi": "Phiếu chưa có câu trả lời nào.", "en": "No question has been answered."},
	CodeFieldUnknown:      {"vi": "Quầy này không phục vụ lĩnh vực đó.", "en": "The desk does not serve this field."},
	CodeFilingUnknown:     {"vi": "Không có hình thức nộp hồ sơ này.", "en": "There is no such filing channel."},
	CodeProfileUnknown:    {"vi": "Bộ phiếu không có câu hỏi thông tin này.", "en": "The instrument has no such profile question."},
	CodeOptionUnknown:     {"vi": "Không có lựa chọn này.", "en": "There is no such option."},
	CodeHelpedUnknown:     {"vi": "Không có lựa chọn này về người giúp trả lời.", "en": "There is no such choice of helper."},
	CodeLanguageUnknown:   {"vi": "Bộ phiếu không có ngôn ngữ này.", "en": "The instrument has no such language."},
	CodeFutureAnswer:      {"vi": "Thời điểm trả lời ở tương lai.", "en": "The answer is dated in the future."},
	CodeOutsideRound:      {"vi": "Thời điểm trả lời nằm ngoài đợt khảo sát.", "en": "The answer is dated outside the round."},
	CodeDrawRequired:      {"vi": "Đợt chọn mẫu cần tầng, đơn vị chọn mẫu và quyền số.", "en": "A drawn round needs stratum, sampling unit and weight."},
	CodeDrawInvalid:       {"vi": "Thông tin chọn mẫu không hợp lệ.", "en": "The sampling information is not valid."},
	CodeInstrumentDiffers: {"vi": "Hai bên dùng bộ phiếu hoặc phiên bản bộ phiếu khác nhau nên không so sánh được.", "en": "The two sides used different instruments or versions and cannot be compared."},
	CodeFormDiffers:       {"vi": "Hai bên dùng dạng phiếu khác nhau nên không so sánh được.", "en": "The two sides used different forms and cannot be compared."},
	CodeDesignDiffers:     {"vi": "Hai bên thu phiếu theo thiết kế khác nhau nên không so sánh được.", "en": "The two sides were sampled by different designs and cannot be compared."},
	CodeMethodDiffers:     {"vi": "Hai bên tính chỉ số bằng phương pháp hoặc phiên bản phương pháp khác nhau nên không so sánh được.", "en": "The two sides use different methods or versions of a method and cannot be compared."},
	CodeChannelDiffers:    {"vi": "Hai bên thu phiếu bằng hình thức khác nhau; hãy chọn cùng một hình thức.", "en": "The two sides are about different channels; choose one channel."},
	CodeWeightingDiffers:  {"vi": "Hai bên gia quyền khác nhau, hoặc chỉ một bên có quyền số, nên không so sánh được.", "en": "The two sides are weighted in different ways, or only one of them is; they cannot be compared."},
	CodeSamplesOverlap:    {"vi": "Hai bên có chung phiếu hoặc chung ngày; hãy chọn hai bên tách rời.", "en": "The two sides share answers or days; choose sides that are apart."},
	CodeTooManyAnswers:    {"vi": "Quá nhiều phiếu để phân tích từng phiếu; hãy chọn một đơn vị hoặc nhóm đơn vị.", "en": "Too many answers to look at one by one; choose a unit or a type of unit."},
	CodeDuplicate:         {"vi": "Mã bị trùng.", "en": "The id occurs twice."},
	CodeChannelReserved: {
		"vi": "Hình thức qr và kiosk chỉ dành cho phiếu mà người dân tự gửi; tệp nhập chỉ được ghi paper, interviewer, phone hoặc invite. " +
			"Để đưa lại tệp đã xuất từ chính hệ thống này, hãy dùng lệnh import --restore.",
		"en": "The channels qr and kiosk are for answers that people sent themselves; an import may say paper, interviewer, phone or invite. " +
			"Bring back what this installation exported with import --restore.",
	},
	CodeRestoreOnly: {
		"vi": "Tệp nhập không được tự ghi giá trị này. Để đưa lại tệp đã xuất từ chính hệ thống này, hãy dùng lệnh import --restore.",
		"en": "An import may not say this by itself. Bring back what this installation exported with import --restore.",
	},
	CodeProofMissing: {
		"vi": "Thiếu mã chứng thực (cột proof): tệp do phiên bản cũ xuất ra nên không đưa lại bằng import --restore được; hãy khôi phục từ bản sao lưu bằng lệnh restore.",
		"en": "The proof is missing (column proof): an older version wrote this export, which import --restore cannot take; bring back a backup with restore.",
	},
	CodeProofWrong: {
		"vi": "Dòng này đã bị sửa sau khi xuất (kể cả khi chỉ mở rồi lưu bằng Excel), hoặc do một hệ thống khác xuất ra; " +
			"hãy dùng tệp gốc chưa bị lưu lại, hoặc khôi phục từ bản sao lưu bằng lệnh restore.",
		"en": "This row was altered since it was exported (a spreadsheet program that only opened and saved it does that too), or another installation exported it; " +
			"use the file as it was written, or bring back a backup with restore.",
	},
	CodeReference:    {"vi": "Tham chiếu đến mục không tồn tại.", "en": "It refers to something that does not exist."},
	CodeRoundStarted: {"vi": "Đợt đã mở thì không đổi được mục này nữa; hãy lập đợt khác.", "en": "This part of a round cannot change any more once it has opened; set up another round."},
	CodeRoundsOverlap: {
		"vi": "Hai đợt cùng dành cho một nơi trả lời (mã QR hoặc máy tính bảng) tại cùng đơn vị, cùng ngày; nơi đó chỉ hiện được một đợt. Hãy đóng một đợt, hoặc đổi ngày hay đơn vị của đợt.",
		"en": "Two rounds are for the same doors (QR codes or tablets) at the same unit on the same day; a door can show only one. Close one of them, or change its days or units.",
	},
	CodeRoundNotShown: {
		"vi": "Quầy này không hiện đợt khảo sát đó, nên phiếu của đợt không dùng được ở đây.",
		"en": "The desk does not show this round, so slips of the round could not be used there.",
	},
	CodePublished: {"vi": "Bộ phiếu đã ban hành thì không sửa được; hãy tạo phiên bản mới.", "en": "A published instrument cannot change; make a new version."},
}

// Message returns the sentence for a code in the language lang (Vietnamese
// where lang is missing), and the code itself where there is none.
func Message(code Code, lang string) string {
	if t, ok := messages[code]; ok {
		return t.In(lang)
	}
	return string(code)
}
