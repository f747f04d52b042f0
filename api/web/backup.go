package web

import (
	"bytes"
	"context"
	"encoding/json"
	"io"

	"github.com/gofiber/fiber/v2"

	"sipas/api/store"
	"sipas/survey"
)

// backupsAtOnce is how many backups one server streams at a time. Each reads the
// whole store.
const backupsAtOnce = 2

// getBackup streams a backup. One that fails in the middle has no footer.
func (s *Server) getBackup(r *request) error {
	r.Response().Header.SetContentType("application/gzip")
	return s.stream(r, s.backups, func(ctx context.Context, w io.Writer) error {
		_, err := s.store.Backup(ctx, w, store.BackupOptions{Program: s.cfg.Version, Made: s.cfg.Now(), Random: s.cfg.Random})
		return err
	})
}

// postRestore writes frames of a backup into the store.
func (s *Server) postRestore(r *request) error {
	body := r.Request().Body()
	if len(body) == 0 {
		return fail(codeEmptyBody)
	}
	merge := r.Query("merge")
	if merge != "" && merge != "1" {
		return &survey.Error{Fields: []survey.FieldError{{Field: "merge", Code: survey.CodeInvalid}}}
	}
	summary, err := s.store.RestoreFrames(r.context, bytes.NewReader(body), merge == "1")
	if err != nil {
		return err
	}
	out, err := json.Marshal(summary)
	if err != nil {
		return err
	}
	r.sendJSON(fiber.StatusOK, out)
	return nil
}

// coveredBackup says which answers of tablets a verified and kept backup has.
type coveredBackup struct {
	Covers []store.Cover `json:"covers"`
}

// postCovered lets tablets forget what a backup has.
func (s *Server) postCovered(r *request) error {
	var c coveredBackup
	if err := decode(r.Request().Body(), &c); err != nil {
		return err
	}
	if err := s.store.CoverTablets(r.context, c.Covers); err != nil {
		return err
	}
	return r.send(fiber.StatusOK, struct{}{})
}
