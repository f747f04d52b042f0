package web

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"sipas/survey"
)

// unitDesks is the data of page/unit.html: the desks of a unit, to choose from.
type unitDesks struct {
	Unit  survey.Text
	Desks []unitDesk
}

type unitDesk struct{ Name, Fields, Address string }

// pathUnit finds the unit whose id stands in the place of a desk's code, nil where a desk
// is meant.
func (s *Server) pathUnit(r *request) *survey.Unit { return s.store.View().FindUnit(r.typedDesk()) }

// unitPage is where the QR code of a unit leads: it asks which desk, unless there is one.
func (s *Server) unitPage(r *request, unit *survey.Unit) error {
	if typed := r.typedDesk(); r.Context().UserValue(mangled) != nil || !strings.EqualFold(typed, unit.ID) {
		s.seeOther(r, s.formPath(r, unit.ID, typed))
		return nil
	}
	catalogue := s.store.View().Catalogue
	var desks []*survey.Desk
	for _, d := range catalogue.Desks {
		if d.Unit == unit.ID && catalogue.Serves(d, survey.DateOf(s.cfg.Now())) {
			desks = append(desks, d)
		}
	}
	switch len(desks) {
	case 0:
		return fail(survey.CodeDeskClosed)
	case 1:
		s.seeOther(r, s.formPath(r, desks[0].ID, ""))
		return nil
	}
	d := unitDesks{Unit: unit.Name}
	p := s.newPage(r, s.texts.say(r.language(), "unit.title"), &d)
	for _, desk := range desks {
		var fields []string
		for _, id := range desk.Fields {
			fields = append(fields, catalogue.Fields[id].Name.In(p.Lang))
		}
		d.Desks = append(d.Desks, unitDesk{desk.Name.In(p.Lang), strings.Join(fields, ", "), s.href(s.formPath(r, desk.ID, ""))})
	}
	slices.SortFunc(d.Desks, func(a, b unitDesk) int {
		return cmp.Or(naturally(a.Name, b.Name), strings.Compare(a.Address, b.Address))
	})
	shorten(d.Desks)
	if shared(r) {
		p.query.Set("shared", "1")
	}
	return s.render(r, fiber.StatusOK, "unit", p)
}

// shorten leaves out what stands behind " - " in the names of desks where that is the same
// for all, as in "Quầy số 1 - Trung tâm Phục vụ hành chính công phường …".
func shorten(desks []unitDesk) {
	_, same, ok := strings.Cut(desks[0].Name, " - ")
	for _, d := range desks {
		_, behind, has := strings.Cut(d.Name, " - ")
		ok = ok && has && behind == same
	}
	for i := range desks {
		if ok {
			desks[i].Name, _, _ = strings.Cut(desks[i].Name, " - ")
		}
	}
}

var inDigits = regexp.MustCompile(`\d+|\D+`)

// naturally compares names as people do: desk 2 comes before desk 10.
func naturally(a, b string) int {
	return slices.CompareFunc(inDigits.FindAllString(a, -1), inDigits.FindAllString(b, -1), func(x, y string) int {
		m, errX := strconv.Atoi(x)
		n, errY := strconv.Atoi(y)
		if errX != nil || errY != nil {
			return strings.Compare(x, y)
		}
		return cmp.Compare(m, n)
	})
}
