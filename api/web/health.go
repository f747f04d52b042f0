package web

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"sipas/api/store"
)

// pingTimeout bounds how long /readyz waits for the store.
const pingTimeout = time.Second

// live answers as long as the process does.
func (s *Server) live(r *request) error {
	r.sendJSON(fiber.StatusOK, []byte(`{"status":"live"}`))
	return nil
}

// readiness is the body of /readyz.
type readiness struct {
	Status  string          `json:"status"`
	Store   string          `json:"store"`
	Reports reportReadiness `json:"reports"`
	// Connections says whether there are places for more.
	Connections connectionReadiness `json:"connections"`
	// Warnings are codes of what somebody should mend, for staff alone.
	Warnings []string `json:"warnings,omitempty"`
	// NoticeLacks is what the agency document does not say of what the law asks, for staff alone.
	NoticeLacks []string `json:"notice_lacks,omitempty"`
}

type reportReadiness struct {
	Ready bool  `json:"ready"`
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// ready says whether answers can be taken now. Reports that still load do not
// make the service unready: forms work meanwhile. Neither do places for connections that
// are all taken, as long as others can be closed.
func (s *Server) ready(r *request) error {
	ctx, cancel := context.WithTimeout(r.context, pingTimeout)
	defer cancel()
	state, status := readiness{Status: "ready", Store: "ok", Reports: s.reportReadiness()}, fiber.StatusOK
	if err := s.ping(ctx); err != nil {
		s.logFailure(r, err)
		state.Status, state.Store, status = "unready", "unavailable", fiber.StatusServiceUnavailable
		r.Set(fiber.HeaderRetryAfter, strconv.Itoa(retryAfter))
	}
	connections, refusing := s.conns.readiness()
	if refusing && status == fiber.StatusOK {
		state.Status, status = "full", fiber.StatusServiceUnavailable
		r.Set(fiber.HeaderRetryAfter, strconv.Itoa(retryAfter))
	}
	if s.asksAsStaff(r) {
		state.Warnings = s.proxyWarnings()
		if len(s.store.View().Unlimited()) > 0 {
			state.Warnings = append(state.Warnings, "tokens_without_expiry")
		}
		if state.NoticeLacks = s.store.View().Agency.Lacks(); len(state.NoticeLacks) > 0 {
			state.Warnings = append(state.Warnings, "notice_incomplete")
		}
	} else {
		connections.Open = 0
	}
	state.Connections = connections
	body, err := json.Marshal(state)
	if err != nil {
		return err
	}
	r.sendJSON(status, body)
	return nil
}

// asksAsStaff reports whether a request to a public route carries a token with the
// right staff. Any other token is none: supervisors must get their answer.
func (s *Server) asksAsStaff(r *request) bool {
	if !s.open.Load() {
		return false
	}
	token, err := s.bearerToken(&r.Request().Header)
	return err == nil && token != nil && token.Allows(store.RightStaff)
}

// ping returns nil when the store can take answers.
func (s *Server) ping(ctx context.Context) error {
	if !s.open.Load() {
		return errWaiting
	}
	return s.store.Ping(ctx)
}

func (s *Server) reportReadiness() reportReadiness {
	var out reportReadiness
	if s.open.Load() && s.reports != nil {
		out.Done, out.Total, out.Ready = s.reports.Progress()
	}
	return out
}

// serviceStatus is the body of /api/v1/status.
type serviceStatus struct {
	Version   string          `json:"version"`
	Responses int64           `json:"responses"`
	Withdrawn int64           `json:"withdrawn"`
	Rounds    int             `json:"rounds"`
	Units     int             `json:"units"`
	Desks     int             `json:"desks"`
	Reports   reportReadiness `json:"reports"`
}

// status counts what the service holds.
func (s *Server) status(r *request) error {
	// Counting millions takes its time; a store that is away is told at once.
	ctx, cancel := context.WithTimeout(r.context, pingTimeout)
	defer cancel()
	if err := s.store.Ping(ctx); err != nil {
		return err
	}
	live, withdrawn, err := s.store.CountResponses(r.context)
	if err != nil {
		return err
	}
	view := s.store.View()
	body, err := json.Marshal(serviceStatus{Version: s.cfg.Version, Responses: live, Withdrawn: withdrawn,
		Rounds: len(view.Rounds), Units: len(view.Units), Desks: len(view.Desks), Reports: s.reportReadiness()})
	if err != nil {
		return err
	}
	r.sendJSON(fiber.StatusOK, body)
	return nil
}
