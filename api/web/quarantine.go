package web

import (
	"context"
	"encoding/hex"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"sipas/api/store"
	"sipas/kiosk"
	"sipas/survey"
)

// quarantinedAnswer is an answer in quarantine as staff see it: never what it says.
type quarantinedAnswer struct {
	ID     string `json:"id"`
	Device string `json:"device"`
	Reason string `json:"reason"`
	// Answered and Received are UTC hours as "2006-01-02T15".
	Answered string `json:"answered"`
	Unsure   bool   `json:"unsure,omitempty"`
	Received string `json:"received"`
}

type quarantineList struct {
	Answers []quarantinedAnswer `json:"answers"`
	// After continues the list, "" at its end.
	After string `json:"after,omitempty"`
}

// getQuarantine lists answers of tablets in which something is wrong.
func (s *Server) getQuarantine(r *request) error {
	var after store.ID
	if text := r.Query("after"); text != "" {
		var ok bool
		if after, ok = readQuarantineID(text); !ok {
			return &survey.Error{Fields: []survey.FieldError{{Field: "after", Code: survey.CodeInvalid}}}
		}
	}
	page, err := s.store.InQuarantine(r.context, after)
	if err != nil {
		return err
	}
	list := quarantineList{Answers: []quarantinedAnswer{}}
	for _, q := range page {
		list.After = hex.EncodeToString(q.ID[:])
		list.Answers = append(list.Answers, quarantinedAnswer{list.After, q.Device, q.Reason, hourText(q.Answered), q.Unsure, hourText(q.Received)})
	}
	return r.send(fiber.StatusOK, list)
}

func readQuarantineID(text string) (store.ID, bool) {
	id, err := hex.DecodeString(text)
	if err != nil || len(id) != len(store.ID{}) {
		return store.ID{}, false
	}
	return store.ID(id), true
}

func hourText(t time.Time) string { return t.UTC().Format("2006-01-02T15") }

// retried says what became of the quarantine.
type retried struct {
	// Taken answers are stored, or were withdrawn; Left ones still cannot be taken.
	Taken int `json:"taken"`
	Left  int `json:"left"`
}

func (s *Server) retryQuarantine(r *request) error {
	result, err := s.tryQuarantine(r.context)
	if err != nil {
		return err
	}
	return r.send(fiber.StatusOK, result)
}

// tryQuarantine tries every answer in quarantine again, after staff mended what kept
// them out.
func (s *Server) tryQuarantine(ctx context.Context) (result retried, err error) {
	now := s.cfg.Now()
	for after := (store.ID{}); ; {
		page, err := s.store.InQuarantine(ctx, after)
		if err != nil || len(page) == 0 {
			return result, err
		}
		view := s.store.View()
		for _, q := range page {
			after = q.ID
			switch taken, err := s.tryQuarantined(ctx, view, &q, now); {
			case err != nil:
				return result, err
			case !taken:
				result.Left++
				continue
			}
			if err := s.store.LeaveQuarantine(ctx, q.ID); err != nil {
				return result, err
			}
			result.Taken++
		}
	}
}

// tryQuarantined tries one answer; it reports whether that is stored or withdrawn, now
// or since before.
func (s *Server) tryQuarantined(ctx context.Context, view *store.View, q *store.Quarantined, now time.Time) (bool, error) {
	a := kiosk.Reopen(s.sealKey, q.Sealed)
	a.At, a.Unsure = q.Answered, q.Unsure
	if known, err := s.known(ctx, &a); err != nil || known != "" {
		return err == nil, err
	}
	d := view.Device(q.Device)
	if d == nil {
		return false, nil
	}
	response, err := a.Accept(view.Catalogue, d, now)
	if err != nil {
		return false, nil
	}
	outcomes, err := s.store.AddResponses(ctx, []survey.Response{response})
	return outcomes[0] != store.Conflict, err
}

// discardQuarantined erases an answer in quarantine for good.
func (s *Server) discardQuarantined(r *request) error {
	id, ok := readQuarantineID(r.Params("id"))
	if !ok {
		return fail(codeNotFound)
	}
	q, err := s.store.FindQuarantined(r.context, id)
	if err != nil {
		return err
	}
	if err := s.discard(r, []store.Quarantined{q}); err != nil {
		return err
	}
	return r.send(fiber.StatusOK, struct{}{})
}

// discard erases answers in quarantine, in all of which the same is wrong, and keeps in
// the log who did it.
func (s *Server) discard(r *request, list []store.Quarantined) error {
	if err := s.store.DiscardQuarantined(r.context, list); err != nil {
		return err
	}
	s.cfg.Log.Info("answers in quarantine were discarded", "token", r.token.Name, "answers", len(list), "device", list[0].Device, "reason", list[0].Reason, "request_id", r.id)
	return nil
}

// mostAside is how many answers of one tablet may be in quarantine.
const mostAside = 20_000

// asideCounts counts the answers in quarantine, roughly, when there are many.
type asideCounts struct {
	mu      sync.Mutex
	counted time.Time
	by      map[string]int // by device
}

// room is how many of n more answers of a tablet may come into quarantine.
func (a *asideCounts) room(ctx context.Context, st *store.Store, device string, n int, now time.Time) (int, error) {
	if total, err := st.QuarantineSize(ctx); err != nil || total+int64(n) <= mostAside {
		return n, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.counted) >= time.Minute {
		by := map[string]int{}
		for after := (store.ID{}); ; {
			page, err := st.InQuarantine(ctx, after)
			if err != nil {
				return 0, err
			}
			if len(page) == 0 {
				break
			}
			for _, q := range page {
				by[q.Device]++
			}
			after = page[len(page)-1].ID
		}
		a.by, a.counted = by, now
	}
	n = min(n, max(mostAside-a.by[device], 0))
	a.by[device] += n
	return n, nil
}
