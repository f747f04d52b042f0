package survey

// How often a new picture of a round is made, for those who may not see answers.
const (
	PicturesDaily   = "day"
	PicturesWeekly  = "week" // from Monday to Sunday
	PicturesMonthly = "month"
)

// PicturePeriod is the period of the picture that is shown on a day: its first
// day, and that of the next period.
func (r *Round) PicturePeriod(day Date) (first, next Date) {
	at := day.Start()
	switch r.Pictures {
	case PicturesDaily:
		return day, day.AddDays(1)
	case PicturesMonthly:
		first = DateOf(at.AddDate(0, 0, 1-at.Day()))
		return first, DateOf(first.Start().AddDate(0, 1, 0))
	default:
		first = day.AddDays(-(int(at.Weekday()) + 6) % 7)
		return first, first.AddDays(7)
	}
}
