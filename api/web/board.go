package web

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"sipas/stats"
	"sipas/survey"
)

// boardLife is how long a board is remembered: it changes once a day at most, and
// anybody may ask for it.
const boardLife = time.Minute

// boards remembers what the boards of units show. Those who ask at once wait for the
// first of them, so that a hall of screens costs one look.
type boards struct {
	mu    sync.Mutex
	shown map[string]rememberedBoard
}

type rememberedBoard struct {
	view  *survey.Catalogue
	until time.Time
	board *board
}

// board is the data of page/board.html: the published figures of one unit.
type board struct {
	Unit    *survey.Unit
	Round   *survey.Round
	Picture *stats.Picture
	Cell    stats.PictureCell
}

// boardPage shows a unit's published figures on a screen in its hall, to everybody.
// With ?screen=1 it loads itself again; a reader's page does not move by itself.
// A unit without a board is not told apart from none.
func (s *Server) boardPage(r *request) error {
	unit := s.store.View().Units[r.Params("unit")]
	if unit == nil || !unit.Board {
		return fail(codeNotFound)
	}
	b, err := s.board(r.context, unit)
	if err != nil {
		return err
	}
	p := s.newPage(r, s.texts.say(r.language(), "board.title")+" – "+unit.Name.In(r.language()), b)
	p.Board = true
	if r.Query("screen") == "1" {
		p.Refresh, p.RefreshTo = 600, s.href("/board/"+unit.ID)+"?lang="+p.Lang+"&screen=1"
	}
	return s.render(r, fiber.StatusOK, "board", p)
}

func (s *Server) board(ctx context.Context, unit *survey.Unit) (*board, error) {
	s.boards.mu.Lock()
	defer s.boards.mu.Unlock()
	catalogue, now := s.store.View().Catalogue, s.cfg.Now()
	if kept := s.boards.shown[unit.ID]; kept.view == catalogue && now.Before(kept.until) {
		return kept.board, nil
	}
	round := boardRound(catalogue, unit.ID, now)
	if round == nil {
		return nil, fail(survey.CodeRoundUnknown)
	}
	picture, err := s.reports.Picture(ctx, round.ID)
	if err != nil {
		return nil, err
	}
	b := &board{Unit: unit, Round: round, Picture: picture, Cell: stats.PictureCell{Hidden: "primary"}}
	for _, c := range picture.Cells {
		if c.By == "unit" && c.ID == unit.ID {
			b.Cell = c
		}
	}
	if s.boards.shown == nil {
		s.boards.shown = map[string]rememberedBoard{}
	}
	s.boards.shown[unit.ID] = rememberedBoard{catalogue, now.Add(boardLife), b}
	return b, nil
}

// boardRound is the round that a board is about: the one that its desks show now,
// else its tablets, else the one that ended last. Nil without either.
func boardRound(c *survey.Catalogue, unit string, now time.Time) *survey.Round {
	for _, door := range [...]survey.Channel{survey.ChannelQR, survey.ChannelKiosk} {
		if round, _ := c.RoundAt(door, unit, survey.DateOf(now)); round != nil {
			return round
		}
	}
	var past []*survey.Round
	for _, r := range c.Rounds {
		if r.Includes(unit) && r.Status != survey.StatusDraft && r.First <= survey.DateOf(now) {
			past = append(past, r)
		}
	}
	if len(past) == 0 {
		return nil
	}
	return slices.MaxFunc(past, func(a, b *survey.Round) int { return strings.Compare(string(a.Last)+a.ID, string(b.Last)+b.ID) })
}
