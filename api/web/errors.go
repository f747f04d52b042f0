package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"sipas/api/analysis"
	"sipas/api/store"
	"sipas/kiosk"
	"sipas/survey"
)

// Codes of errors that are about the request, not about an answer. They are
// stable, like those of package survey.
const (
	codeBadRequest      survey.Code = "bad_request"
	codeEmptyBody       survey.Code = "body_empty"
	codeMalformedJSON   survey.Code = "json_malformed"
	codeTrailing        survey.Code = "json_trailing"
	codeRepeatedKey     survey.Code = "json_key_repeated"
	codeBodyUTF8        survey.Code = "body_not_utf8"
	codeTokenRequired   survey.Code = "token_required"
	codeTokenUnknown    survey.Code = "token_unknown"
	codeTicketInvalid   survey.Code = "ticket_invalid"
	codeSignInRequired  survey.Code = "signin_required"
	codeRightMissing    survey.Code = "right_missing"
	codeNotFound        survey.Code = "not_found"
	codeMethod          survey.Code = "method_not_allowed"
	codeTimeout         survey.Code = "request_timeout"
	codeStale           survey.Code = "stale"
	codeVerifying       survey.Code = "verify_running"
	codeTooLarge        survey.Code = "body_too_large"
	codeTooMany         survey.Code = "too_many_items"
	codeContentType     survey.Code = "content_type"
	codeHeaderTooLarge  survey.Code = "header_too_large"
	codeInvalid         survey.Code = "submission_invalid"
	codeInternal        survey.Code = "internal"
	codeUnavailable     survey.Code = "unavailable"
	codeTooManyRequests survey.Code = "too_many_requests"
	codeLoading         survey.Code = "loading"
	codeBackupInvalid   survey.Code = "backup_invalid"
	codeBackupForeign   survey.Code = "backup_foreign"
	codeBackupNewer     survey.Code = "backup_newer"
	codeNotEmpty        survey.Code = "store_not_empty"
	codeUnfinished      survey.Code = "store_unfinished"
	codeSignedOutHere   survey.Code = "signed_out_here_only"
	codePairing         survey.Code = "pairing_unknown"
	codeBatch           survey.Code = "batch_invalid"
	codeExport          survey.Code = "export_invalid"
	codeRevoked         survey.Code = "device_revoked"
	codeForeignForm     survey.Code = "form_foreign"
	codeRightsExceeded  survey.Code = "rights_exceeded"
	codeTokenExists     survey.Code = "token_exists"
	codeCrossSite       survey.Code = "cross_site"
)

// statuses is the one map from error code to HTTP status. Codes of fields do
// not occur in it: an answer with wrong fields has the code submission_invalid.
var statuses = map[survey.Code]int{
	codeBadRequest: 400, codeEmptyBody: 400, codeMalformedJSON: 400, codeTrailing: 400, codeRepeatedKey: 400, codeBodyUTF8: 400,
	codeTokenRequired: 401, codeTokenUnknown: 401, codeTicketInvalid: 401, codeSignInRequired: 401,
	codeRightMissing: 403, codeRightsExceeded: 403, codeRevoked: 403, codeForeignForm: 403, codeCrossSite: 403,
	codeNotFound: 404, codePairing: 404, survey.CodeDeskUnknown: 404, survey.CodeRoundUnknown: 404,
	codeMethod:  405,
	codeTimeout: 408,
	codeStale:   409, codeTokenExists: 409, codeNotEmpty: 409, codeUnfinished: 409, codeVerifying: 409,
	codeTooLarge: 413, codeTooMany: 413,
	codeContentType: 415,
	codeInvalid:     422, codeBackupInvalid: 422, codeBackupForeign: 422, codeBackupNewer: 422, codeBatch: 422, codeExport: 422,
	codeTooManyRequests: 429,
	codeHeaderTooLarge:  431,
	codeInternal:        500,
	codeUnavailable:     503, codeLoading: 503, codeSignedOutHere: 503,
	// Pages that stand where a form would.
	survey.CodeDeskClosed: 410, survey.CodeRoundClosed: 410, survey.CodeRoundNotOpen: 403,
}

// failure is an error that the caller is told: its code, and the fields it is
// about.
type failure struct {
	code   survey.Code
	fields []survey.FieldError
	// detail is a technical addition to the sentence for the code.
	detail string
	// needed and held are rights, with the code right_missing: one of needed would do; and
	// with rights_exceeded: all of needed would.
	needed, held []store.Right
	// cause is for the log alone.
	cause error
	// done and total tell the progress of loading.
	done, total int64
}

func fail(code survey.Code) error { return &failure{code: code} }

// Error names the code and the cause.
func (f *failure) Error() string {
	if f.cause != nil {
		return string(f.code) + ": " + f.cause.Error()
	}
	return string(f.code)
}

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.cause }

// retryAfter is how many seconds a caller should wait when the store is away,
// reports are loading, or too much came from its address or tablet.
const retryAfter = 5

// failureOf says what a caller is told about an error. What is not known here
// is internal: outside it is only that, in the log it is everything.
func failureOf(err error) *failure {
	var f *failure
	var invalid *survey.Error
	var refused *fiber.Error
	var loading *analysis.LoadingError
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &invalid):
		return &failure{code: codeInvalid, fields: invalid.Fields}
	case errors.As(err, &loading):
		return &failure{code: codeLoading, done: loading.Done, total: loading.Total}
	case errors.Is(err, store.ErrPairing):
		return &failure{code: codePairing}
	case errors.Is(err, kiosk.ErrExport):
		return &failure{code: codeExport, cause: err}
	case errors.Is(err, kiosk.ErrBatch):
		return &failure{code: codeBatch, detail: err.Error(), cause: err}
	case errors.Is(err, store.ErrStale):
		return &failure{code: codeStale, cause: err}
	case errors.Is(err, store.ErrNotFound):
		return &failure{code: codeNotFound, cause: err}
	case errors.Is(err, store.ErrForeignBackup):
		return &failure{code: codeBackupForeign, cause: err}
	case errors.Is(err, store.ErrBackup), errors.Is(err, store.ErrFrames):
		return &failure{code: codeBackupInvalid, cause: err}
	case errors.Is(err, store.ErrNewerFormat):
		return &failure{code: codeBackupNewer, cause: err}
	case errors.Is(err, store.ErrNotEmpty):
		return &failure{code: codeNotEmpty, cause: err}
	case errors.Is(err, store.ErrUnfinished):
		return &failure{code: codeUnfinished, cause: err}
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrClosed), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &failure{code: codeUnavailable, cause: err}
	case errors.As(err, &refused):
		return &failure{code: codeOfStatus(refused.Code), cause: err}
	}
	return &failure{code: codeInternal, cause: err}
}

// codeOfStatus translates what Fiber refuses by itself.
func codeOfStatus(status int) survey.Code {
	switch status {
	case fiber.StatusNotFound:
		return codeNotFound
	case fiber.StatusMethodNotAllowed:
		return codeMethod
	case fiber.StatusRequestTimeout:
		return codeTimeout
	case fiber.StatusRequestEntityTooLarge:
		return codeTooLarge
	case fiber.StatusRequestHeaderFieldsTooLarge:
		return codeHeaderTooLarge
	}
	return codeBadRequest
}

// wireError is an error as JSON.
type wireError struct {
	Error wireFailure `json:"error"`
}

type wireFailure struct {
	Code      survey.Code   `json:"code"`
	Message   string        `json:"message"`
	Detail    string        `json:"detail,omitempty"`
	Fields    []wireField   `json:"fields,omitempty"`
	Progress  *wireProgress `json:"progress,omitempty"`
	RequestID string        `json:"request_id"`
}

type wireField struct {
	Field   string      `json:"field"`
	Code    survey.Code `json:"code"`
	Message string      `json:"message"`
	Detail  string      `json:"detail,omitempty"`
}

type wireProgress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// writeError answers a request that failed, as a page or as JSON.
func (s *Server) writeError(r *request, err error) {
	f := failureOf(err)
	status := statuses[f.code]
	if status == 0 {
		status = fiber.StatusInternalServerError
	}
	if status >= 500 && f.code != codeLoading {
		s.logFailure(r, err)
	}
	switch status {
	case fiber.StatusServiceUnavailable, fiber.StatusTooManyRequests:
		r.Set(fiber.HeaderRetryAfter, strconv.Itoa(retryAfter))
	case fiber.StatusUnauthorized:
		if !r.route.page {
			r.Set(fiber.HeaderWWWAuthenticate, `Bearer realm="sipas"`)
		}
	}
	r.Set(fiber.HeaderCacheControl, "no-store")
	if r.route.page && s.writeErrorPage(r, status, f) == nil {
		return
	}
	w := wireFailure{Code: f.code, Message: s.message(r.language(), f.code), Detail: s.detail(r.language(), f), Fields: s.wireFields(r, f.fields), RequestID: r.id}
	if f.code == codeLoading {
		w.Progress = &wireProgress{Done: f.done, Total: f.total}
	}
	body, err := json.Marshal(wireError{Error: w})
	if err != nil {
		body = []byte(`{"error":{"code":"internal","message":"internal"}}`)
	}
	r.sendJSON(status, body)
}

// logFailure keeps in the log what the caller is not told.
func (s *Server) logFailure(r *request, err error) {
	s.cfg.Log.LogAttrs(context.Background(), slog.LevelError, "request failed",
		slog.String("method", r.route.method), slog.String("route", r.route.pattern),
		slog.String("request_id", r.id), slog.Any("error", err))
}

func (s *Server) wireFields(r *request, fields []survey.FieldError) []wireField {
	out := make([]wireField, len(fields))
	for i, f := range fields {
		out[i] = wireField{Field: f.Field, Code: f.Code, Message: survey.Message(f.Code, r.language()), Detail: f.Detail}
	}
	return out
}

// message is the sentence for a code: the service's own, else the domain's.
func (s *Server) message(lang string, code survey.Code) string {
	if m, ok := s.texts.find(lang, "error."+string(code)); ok {
		return m
	}
	return survey.Message(code, lang)
}

// detail says what exactly is wrong, "" where the code is all there is to say.
func (s *Server) detail(lang string, f *failure) string {
	if f.needed == nil {
		return f.detail
	}
	return s.texts.say(lang, "error."+string(f.code)+".detail", listed(f.needed), listed(f.held))
}

// listed is "full, report".
func listed(rights []store.Right) string {
	names := make([]string, len(rights))
	for i, r := range rights {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}
