package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sipas/api/analysis"
	"sipas/api/store"
	"sipas/api/web"
	"sipas/stats"
	"sipas/survey"
)

// client talks to a running service for the commands that take --url.
type client struct {
	base, token string
	http        *http.Client
	say         io.Writer // told why there is waiting
}

func newClient(f serviceFlags, say io.Writer) (*client, error) {
	base, err := f.base()
	if err != nil {
		return nil, err
	}
	token, err := f.token(say)
	if err != nil {
		return nil, err
	}
	return &client{base: base, token: token, http: &http.Client{Timeout: 3 * time.Minute}, say: say}, nil
}

// base is the address of the service as browsers write it.
func (f serviceFlags) base() (string, error) {
	base, err := web.ReadURL(f.URL)
	if err != nil {
		return "", fmt.Errorf("the address of the service (--url, SIPAS_URL) cannot work: %w", err)
	}
	return base, nil
}

// serviceError is what the service answered in place of a result.
type serviceError struct {
	Status int
	Code   string `json:"code"`
	Text   string `json:"message"`
	Detail string `json:"detail"`
	Fields []struct {
		Field   string `json:"field"`
		Code    string `json:"code"`
		Message string `json:"message"`
		Detail  string `json:"detail"`
	} `json:"fields"`
}

// Error repeats what the service said.
func (e *serviceError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the service answered %d %s: %s", e.Status, e.Code, e.Text)
	if e.Detail != "" {
		fmt.Fprintf(&b, " %s", e.Detail)
	}
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "\n  %s: %s (%s)", f.Field, f.Message, f.Code)
		if f.Detail != "" {
			fmt.Fprintf(&b, ": %s", f.Detail)
		}
	}
	return b.String()
}

// tries bounds how often a request is sent while the service says 503.
const tries = 5

// plainText is a body that is sent as it stands, as is json.RawMessage; others become
// JSON.
type plainText []byte

// do sends a request and decodes the answer into result. A 503 is tried again
// when its Retry-After is over; its body is decoded too when accept503 says so.
func (c *client) do(ctx context.Context, method, path string, body, result any, accept503 bool) error {
	_, err := c.doAt(ctx, method, path, "", body, result, accept503)
	return err
}

// doAt is do for what has a revision: the one that must still hold, or "", is sent, and
// that of the answer returned, as ETags.
func (c *client) doAt(ctx context.Context, method, path, holds string, body, result any, accept503 bool) (revision string, err error) {
	payload, contentType := []byte(nil), "application/json"
	switch body := body.(type) {
	case nil:
	case plainText:
		payload, contentType = body, "text/plain; charset=utf-8"
	case json.RawMessage:
		payload = body
	default:
		if payload, err = json.Marshal(body); err != nil {
			return "", err
		}
	}
	for try := 1; ; try++ {
		got, err := c.send(ctx, method, path, holds, contentType, payload)
		if err != nil {
			return "", err
		}
		switch {
		case got.status < 300, got.status == http.StatusServiceUnavailable && accept503 && try == tries:
			if err := json.Unmarshal(got.body, result); err != nil {
				return "", fmt.Errorf("the service's answer is no JSON that is understood: %w", err)
			}
			return got.revision, nil
		case got.status == http.StatusServiceUnavailable && try < tries:
			// Whoever cannot be told waits all the same.
			_, _ = fmt.Fprintf(c.say, "the service is not ready: %s; trying again in %s\n", serviceMessage(got.body), got.wait)
			select {
			case <-ctx.Done():
				return "", ctx.Err()
			case <-time.After(got.wait):
			}
		default:
			return "", refusal(got.status, got.body)
		}
	}
}

// refusal reads an answer that is an error.
func refusal(status int, answer []byte) error {
	failure := struct{ Error serviceError }{Error: serviceError{Status: status}}
	if json.Unmarshal(answer, &failure) != nil || failure.Error.Code == "" {
		return fmt.Errorf("the service answered %d", status)
	}
	return &failure.Error
}

// serviceMessage is the sentence of an answer that is an error.
func serviceMessage(answer []byte) string {
	var failure struct{ Error serviceError }
	if json.Unmarshal(answer, &failure) != nil || failure.Error.Text == "" {
		return "no reason was given"
	}
	return strings.TrimSuffix(failure.Error.Text, ".")
}

// serviceAnswer is an answer of the service; wait is how long a 503 asks to wait.
type serviceAnswer struct {
	status   int
	wait     time.Duration
	revision string
	body     []byte
}

func (c *client) send(ctx context.Context, method, path, holds, contentType string, payload []byte) (serviceAnswer, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(payload))
	if err != nil {
		return serviceAnswer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", contentType)
	if holds != "" {
		req.Header.Set("If-Match", holds)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return serviceAnswer{}, fmt.Errorf("reach the service: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return serviceAnswer{}, fmt.Errorf("read the service's answer: %w", err)
	}
	wait := time.Second
	if d, err := time.ParseDuration(resp.Header.Get("Retry-After") + "s"); err == nil {
		wait = min(d, 30*time.Second)
	}
	return serviceAnswer{resp.StatusCode, wait, resp.Header.Get("ETag"), answer}, nil
}

func (c *client) report(ctx context.Context, round string, params map[string]string) (*stats.Report, error) {
	var report stats.Report
	err := c.ofRound(ctx, round, "report", params, &report)
	return &report, err
}

func (c *client) compare(ctx context.Context, round string, params map[string]string) (*stats.Comparison, error) {
	var comparison stats.Comparison
	err := c.ofRound(ctx, round, "compare", params, &comparison)
	return &comparison, err
}

// ofRound asks for what is computed from a round.
func (c *client) ofRound(ctx context.Context, round, what string, params map[string]string, result any) error {
	query := url.Values{}
	for name, value := range params {
		if value != "" {
			query.Set(name, value)
		}
	}
	return c.do(ctx, http.MethodGet, "/api/v1/rounds/"+url.PathEscape(round)+"/"+what+"?"+query.Encode(), nil, result, false)
}

// catalogueAt reads the staff documents, and their revision for putDocuments.
func (c *client) catalogueAt(ctx context.Context) (catalogue *survey.Catalogue, revision string, err error) {
	var d survey.Documents
	if revision, err = c.doAt(ctx, http.MethodGet, "/api/v1/documents", "", nil, &d, false); err != nil {
		return nil, "", err
	}
	catalogue, err = survey.NewCatalogue(d)
	return catalogue, revision, err
}

func (c *client) catalogue(ctx context.Context) (*survey.Catalogue, error) {
	catalogue, _, err := c.catalogueAt(ctx)
	return catalogue, err
}

// putDocuments puts documents: where a revision is given, only if it is still that of all
// documents.
func (c *client) putDocuments(ctx context.Context, d survey.Documents, revision string) (store.PutResult, error) {
	var result store.PutResult
	_, err := c.doAt(ctx, http.MethodPut, "/api/v1/documents", revision, d, &result, false)
	return result, err
}

// verifyTimeout is longer than the service takes at most.
const verifyTimeout = 11 * time.Minute

func (c *client) verify(ctx context.Context) (analysis.Verification, error) {
	var v analysis.Verification
	patient := *c
	patient.http = &http.Client{Timeout: verifyTimeout}
	err := patient.do(ctx, http.MethodGet, "/api/v1/verify", nil, &v, false)
	return v, err
}

// batchOutcome is what became of one item of an array of responses.
type batchOutcome struct {
	Outcome string              `json:"outcome"`
	Fields  []survey.FieldError `json:"fields"`
}

func (c *client) addResponses(ctx context.Context, items []web.ImportItem) ([]batchOutcome, error) {
	var answer struct {
		Outcomes []batchOutcome `json:"outcomes"`
	}
	err := c.do(ctx, http.MethodPost, "/api/v1/responses", items, &answer, true)
	if err == nil && len(answer.Outcomes) != len(items) {
		err = fmt.Errorf("the service gave %d outcomes for %d answers", len(answer.Outcomes), len(items))
	}
	return answer.Outcomes, err
}

// restoreRows sends rows of an export, which the service proves.
func (c *client) restoreRows(ctx context.Context, rows web.RestoredRows) ([]batchOutcome, error) {
	var answer struct {
		Outcomes []batchOutcome `json:"outcomes"`
	}
	err := c.do(ctx, http.MethodPost, "/api/v1/restore/responses", rows, &answer, false)
	if err == nil && len(answer.Outcomes) != len(rows.Rows) {
		err = fmt.Errorf("the service gave %d outcomes for %d rows", len(answer.Outcomes), len(rows.Rows))
	}
	return answer.Outcomes, err
}

// streamSilence is how long a stream may come without a byte before it is given
// up.
const streamSilence = 2 * time.Minute

// backup starts a backup; the body breaks when the service cannot end it.
func (c *client) backup(ctx context.Context) (io.ReadCloser, error) {
	return c.stream(ctx, "/api/v1/backup")
}

// export starts the export of a round, as backup does a backup.
func (c *client) export(ctx context.Context, round string) (io.ReadCloser, error) {
	return c.stream(ctx, "/api/v1/rounds/"+url.PathEscape(round)+"/responses.csv")
}

func (c *client) stream(ctx context.Context, path string) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(streamSilence, func() { cancel(errSilentService) })
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	// The time that all of it takes has no limit.
	resp, err := (&http.Client{Transport: c.http.Transport}).Do(req)
	if err != nil {
		cancel(nil)
		return nil, fmt.Errorf("reach the service: %w", err)
	}
	body := &streamBody{body: resp.Body, ctx: ctx, timer: timer, cancel: cancel}
	if resp.StatusCode == http.StatusOK {
		return body, nil
	}
	answer, err := io.ReadAll(body)
	return nil, errors.Join(refusal(resp.StatusCode, answer), err, body.Close())
}

var errSilentService = errors.New("the service sends nothing more")

// streamBody is a body that may take long but not be silent for long.
type streamBody struct {
	body   io.ReadCloser
	ctx    context.Context
	timer  *time.Timer
	cancel context.CancelCauseFunc
}

func (b *streamBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err != nil && err != io.EOF && b.ctx.Err() != nil {
		err = context.Cause(b.ctx)
	}
	b.timer.Reset(streamSilence)
	return n, err
}

func (b *streamBody) Close() error {
	b.timer.Stop()
	err := b.body.Close()
	b.cancel(nil)
	return err
}

// restore sends lines of a backup, its header first.
func (c *client) restore(ctx context.Context, lines []byte, merge bool) (store.RestoreSummary, error) {
	path := "/api/v1/restore"
	if merge {
		path += "?merge=1"
	}
	var summary store.RestoreSummary
	err := c.do(ctx, http.MethodPost, path, plainText(lines), &summary, false)
	return summary, err
}

// cover lets tablets forget the answers that a kept backup has.
func (c *client) cover(ctx context.Context, covers []store.Cover) error {
	return c.do(ctx, http.MethodPost, "/api/v1/kiosk/covered", map[string]any{"covers": covers}, &struct{}{}, false)
}
