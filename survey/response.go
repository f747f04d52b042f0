package survey

import (
	"crypto/hmac"
	"crypto/sha256"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Channel is how an answer came (hình thức khảo sát). It is set by the door
// through which it came in, never by the sender.
type Channel string

// The channels.
const (
	ChannelQR          Channel = "qr"
	ChannelKiosk       Channel = "kiosk"
	ChannelPaper       Channel = "paper"
	ChannelInterviewer Channel = "interviewer"
	ChannelPhone       Channel = "phone"
	ChannelInvite      Channel = "invite"
)

// Channels lists them in the order of reports.
var Channels = []Channel{ChannelQR, ChannelKiosk, ChannelPaper, ChannelInterviewer, ChannelPhone, ChannelInvite}

// ImportChannels lists the channels that an import may claim. The others are
// those of people at a desk's own code or tablet, who leave no choice to the sender.
var ImportChannels = []Channel{ChannelPaper, ChannelInterviewer, ChannelPhone, ChannelInvite}

// Importable reports whether an import may claim the channel.
func Importable(c Channel) bool { return slices.Contains(ImportChannels, c) }

// Door is what let an answer in: the static code of a desk, or a one-time
// slip. It says nothing about the truth of the answer.
type Door string

// The doors.
const (
	DoorOpen Door = "open"
	DoorSlip Door = "slip"
	// DoorStaff is the import of paper forms and other files.
	DoorStaff Door = "staff"
)

// Filings are the filing channels (hình thức nộp hồ sơ): trực tiếp, trực
// tuyến, bưu chính.
var Filings = []string{"counter", "online", "post"}

// Helps are the answers to "did you answer alone": alone, with a relative's
// help, with an official's help, with an official watching.
var Helps = []string{"alone", "relative", "official", "watched"}

// Profile holds the answers to profile questions, question id → option id.
type Profile map[string]string

// String writes the profile in one canonical line, "age=25-34;gender=nam".
func (p Profile) String() string {
	if len(p) == 0 {
		return ""
	}
	pairs := make([]string, 0, len(p))
	for k, v := range p {
		pairs = append(pairs, k+"="+v)
	}
	sort.Strings(pairs)
	return strings.Join(pairs, ";")
}

// ParseProfile reads what [Profile.String] writes.
func ParseProfile(s string) Profile {
	if s == "" {
		return nil
	}
	p := Profile{}
	for pair := range strings.SplitSeq(s, ";") {
		k, v, _ := strings.Cut(pair, "=")
		p[k] = v
	}
	return p
}

// Draw says how a person came into the sample of a drawn round.
type Draw struct {
	Stratum string `json:"stratum"`
	PSU     string `json:"psu"`
	// Weight is the inverse of the probability of selection, > 0.
	Weight float64 `json:"weight"`
}

// Response is one person's answers, as stored. Nothing in it says who.
type Response struct {
	ID         ID
	Round      string
	Instrument string
	Version    int
	Desk       string
	// Unit is the desk's unit when the answer was given.
	Unit string
	// Field is the service field the person came for, "" when not said.
	Field string
	// Filing is the filing channel, "" when not said.
	Filing  string
	Answers Answers
	// Module names the items that a split form asked, "" for a full form.
	Module   string
	Profile  Profile
	Helped   string
	Comment  string
	Language string
	Channel  Channel
	Door     Door
	// Answered and Received are whole hours in UTC.
	Answered time.Time
	Received time.Time
	Flags    Flags
	// Draw is nil but in rounds with a drawn sample.
	Draw *Draw
	// Receipt is the [ReceiptHash] of the code that withdraws the response, made by
	// whoever gave it; nil where nobody has one.
	Receipt []byte
	// Digest is set by [Seal].
	Digest []byte
}

// Seal sets the digest, by which the store tells whether a response that comes
// again is the same: a keyed HMAC-SHA-256 over what the client said and the
// receipt. Receive time, flags and repaired times stay out of it, or a double tap
// would look like other content; it is keyed, because a few answers can be guessed.
func Seal(r *Response, key []byte) {
	said := appendParts(make([]byte, 0, 512), "1", r.Round, r.Desk, r.Instrument, strconv.Itoa(r.Version), r.Field, r.Filing,
		string(r.Answers), r.Module, r.Profile.String(), r.Helped, r.Comment, string(r.Receipt))
	if d := r.Draw; d != nil {
		said = appendParts(said, d.Stratum, d.PSU, strconv.FormatFloat(d.Weight, 'g', -1, 64))
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(said)
	r.Digest = mac.Sum(nil)
}

// Valid reports whether a response is a valid one (phiếu hợp lệ): at least the
// share minAnswered (0 … 1) of the items it was asked carry a level.
func Valid(a Answers, minAnswered float64) bool {
	asked := a.Asked()
	return asked > 0 && float64(a.Levels()) >= minAnswered*float64(asked)
}

// Standing is what decides whether a response counts.
type Standing struct {
	// Valid is the result of [Valid].
	Valid bool
	// Excluded: staff put it aside, with a reason, in the exclusion log.
	Excluded bool
	Flags    Flags
}

// Counts is the one rule for which responses enter an index. withFlagged says
// whether flagged answers do.
func Counts(s Standing, withFlagged bool) bool {
	return s.Valid && !s.Excluded && (withFlagged || s.Flags == 0)
}
