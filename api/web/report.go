package web

import (
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"sipas/api/analysis"
	"sipas/api/store"
	"sipas/survey"
)

// reportJSON gives the report that the query asks for.
func (s *Server) reportJSON(r *request) error {
	round, params, err := s.reportQuery(r)
	if err != nil {
		return err
	}
	q, err := analysis.ParseQuery(s.store.View().Catalogue, round.ID, params)
	if err != nil {
		return err
	}
	report, err := s.reports.Report(r.context, q)
	if err != nil {
		return err
	}
	return r.sendLarge(report)
}

// compareJSON gives the difference that the query asks for.
func (s *Server) compareJSON(r *request) error {
	round, params, err := s.reportQuery(r)
	if err != nil {
		return err
	}
	x, err := analysis.ParseComparison(s.store.View().Catalogue, round.ID, params)
	if err != nil {
		return err
	}
	c, err := s.reports.Compare(r.context, x)
	if err != nil {
		return err
	}
	return r.sendLarge(c)
}

// trendJSON gives the index over rounds.
func (s *Server) trendJSON(r *request) error {
	params, err := queryOf(r)
	if err != nil {
		return err
	}
	x, err := analysis.ParseTrend(s.store.View().Catalogue, params)
	if err != nil {
		return err
	}
	t, err := s.reports.Trend(r.context, x)
	if err != nil {
		return err
	}
	return r.sendLarge(t)
}

// reportQuery finds the round that the path names, and the parameters that
// narrow the report.
func (s *Server) reportQuery(r *request) (*survey.Round, map[string]string, error) {
	round := s.store.View().Rounds[r.Params("round")]
	if round == nil {
		return nil, nil, fail(survey.CodeRoundUnknown)
	}
	params, err := queryOf(r)
	return round, params, err
}

// queryOf reads the parameters of a question. One that is given twice is refused:
// it is not clear which counts.
func queryOf(r *request) (map[string]string, error) {
	params := map[string]string{}
	var wrong []survey.FieldError
	for k, v := range r.Request().URI().QueryArgs().All() {
		name := string(k)
		if name == "lang" {
			continue
		}
		if _, twice := params[name]; twice {
			wrong = append(wrong, survey.FieldError{Field: strings.ToValidUTF8(name, "?"), Code: survey.CodeDuplicate})
		}
		params[name] = string(v)
	}
	if wrong != nil {
		return nil, &survey.Error{Fields: wrong}
	}
	return params, nil
}

// roundList is the body of /api/v1/rounds.
type roundList struct {
	Rounds []*survey.Round `json:"rounds"`
}

// sortedRounds are all rounds, the latest first.
func (s *Server) sortedRounds() []*survey.Round {
	rounds := []*survey.Round{}
	for _, r := range s.store.View().Rounds {
		rounds = append(rounds, r)
	}
	slices.SortFunc(rounds, func(a, b *survey.Round) int {
		if a.First != b.First {
			return strings.Compare(string(b.First), string(a.First))
		}
		return strings.Compare(a.ID, b.ID)
	})
	return rounds
}

func (s *Server) listRounds(r *request) error {
	return r.sendLarge(roundList{Rounds: s.sortedRounds()})
}

// reportsView is what page/reports.html shows.
type reportsView struct {
	Rounds []*survey.Round
	// Live: the reader may see live figures.
	Live bool
}

// reportList leads a signed-in reader to the reports of every round, or to their
// published figures.
func (s *Server) reportList(r *request) error {
	v := reportsView{s.sortedRounds(), r.token.Allows(store.RightFull)}
	return s.render(r, fiber.StatusOK, "reports", s.newPage(r, s.texts.say(r.language(), "reports.title"), &v))
}
