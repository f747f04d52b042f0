package web

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"sipas/survey"
)

// getDocuments gives all staff documents, and their revision as ETag.
func (s *Server) getDocuments(r *request) error {
	docs, revision, err := s.store.DocumentsAt()
	if err != nil {
		return err
	}
	r.Set(fiber.HeaderETag, `"`+revision+`"`)
	return r.sendLarge(docs)
}

// putResult is the answer to staff documents that were taken.
type putResult struct {
	Added     int `json:"added"`
	Changed   int `json:"changed"`
	Unchanged int `json:"unchanged"`
}

// putDocuments adds staff documents and replaces those of the same id. With
// If-Match, only when nobody changed any document since that ETag. An
// unknown field is refused: it is a misspelt one.
func (s *Server) putDocuments(r *request) error {
	body := r.Request().Body()
	switch {
	case len(body) == 0:
		return fail(codeEmptyBody)
	case !utf8.Valid(body):
		return fail(codeBodyUTF8)
	}
	var docs survey.Documents
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&docs); err != nil {
		return decodeFailure(body, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fail(codeTrailing)
	}
	revision := strings.Trim(strings.TrimPrefix(r.Get(fiber.HeaderIfMatch), "W/"), `"`)
	result, err := s.store.PutDocumentsAt(r.context, docs, revision, s.cfg.Now())
	if err != nil {
		return err
	}
	out, err := json.Marshal(putResult(result))
	if err != nil {
		return err
	}
	r.sendJSON(fiber.StatusOK, out)
	return nil
}
