package web

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"

	"sipas/survey"
)

// formParts is how many parts of a form with a file are looked at.
const formParts = 5

// field is what a posted form says under a name.
func (r *request) field(name string) string { return string(r.Request().PostArgs().Peek(name)) }

// part is what a form with a file says under a name, and the name of the file where it
// is one; nil where it says nothing. Unlike fasthttp's reader it unpacks nothing.
func (r *request) part(name string) (content []byte, file string) {
	parts := multipart.NewReader(bytes.NewReader(r.Request().Body()), string(r.Request().Header.MultipartFormBoundary()))
	for range formParts {
		part, err := parts.NextRawPart()
		if err != nil {
			break
		}
		if part.FormName() != name {
			continue
		}
		if content, err = io.ReadAll(part); err != nil {
			break
		}
		return content, part.FileName()
	}
	return nil, ""
}

// fieldErrors words what is wrong with the fields of a form, nil when err is nothing
// of that kind.
func (s *Server) fieldErrors(r *request, err error) map[string]string {
	var invalid *survey.Error
	if !errors.As(err, &invalid) {
		return nil
	}
	wrong := map[string]string{}
	for _, f := range invalid.Fields {
		wrong[f.Field] = survey.Message(f.Code, r.language())
	}
	return wrong
}
