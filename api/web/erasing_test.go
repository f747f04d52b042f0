package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sipas/api/store"
	"sipas/survey"
)

// reader is somebody who reads everything that some right, a backup and the root secret
// open, and tries to erase answers by it.
type reader struct {
	*tabletEnv
	t       *testing.T
	victims []survey.Response
	// read is every text that was read.
	read []string
}

var codeLike = regexp.MustCompile(`[0-9A-HJKMNP-TV-Z]{4}(-?[0-9A-HJKMNP-TV-Z]{4}){3}`)

// unharmed tries every text that looks like a code in what was read, and codes that were
// worked out, and says which victims are gone.
func (r *reader) unharmed(how string, codes ...string) {
	r.t.Helper()
	for _, text := range r.read {
		codes = append(codes, codeLike.FindAllString(text, -1)...)
	}
	r.read = nil
	for _, code := range codes {
		_ = r.store.Withdraw(context.Background(), code)
	}
	for _, v := range r.victims {
		if _, err := r.store.Response(context.Background(), v.ID); err != nil {
			r.t.Errorf("%s: the answer by %s, %s is gone: %v", how, v.Channel, v.Door, err)
		}
	}
	if n := len(r.stored()); n != len(r.victims) {
		r.t.Errorf("%s: %d answers are stored, of %d", how, n, len(r.victims))
		r.victims = r.stored()
	}
}

// send keeps what a request is answered.
func (r *reader) send(c call) answer {
	r.t.Helper()
	a := r.do(c)
	r.read = append(r.read, a.body)
	return a
}

// TestReadersEraseNothing: whoever reads answers, by any right, in any export, in a backup
// with the root secret beside it, cannot withdraw one of them: not by codes that stand
// there or follow from what does, and not by sending answers again.
func TestReadersEraseNothing(t *testing.T) {
	waits(t)
	docs := testDocuments(t)
	docs.Rounds[0].Doors = survey.DoorsBoth
	e := startTablets(t, options{docs: &docs})
	r := &reader{tabletEnv: e, t: t}
	codes := r.answer()
	r.victims = r.stored()
	if len(r.victims) != 6 {
		t.Fatalf("%d answers are stored", len(r.victims))
	}
	exported := r.everything()
	r.unharmed("read")
	r.unharmed("worked out with the root secret", r.workedOut()...)
	for i := range exported {
		r.again(&exported[i])
	}
	// People can, by what they were given.
	for _, code := range codes {
		if err := e.store.Withdraw(context.Background(), code); err != nil {
			t.Errorf("a person's own code: %v", err)
		}
	}
}

// answer gives answers by every way and returns the codes that people have.
func (r *reader) answer() []string {
	r.t.Helper()
	form := formValues(r.env, testDesk)
	form.Set("comment", "chờ lâu")
	codes := []string{receiptOn(r.t, r.postForm(form, ""))}
	slips := r.issue(testDesk, 1)
	form = formValues(r.env, testDesk)
	form.Set("slip", slips[0].Code)
	codes = append(codes, receiptOn(r.t, r.postForm(form, "")))
	own, hash := ownCode(r.t)
	codes = append(codes, own)
	for _, c := range []struct{ body, token string }{
		{submission(r.t, func(m map[string]any) { m["receipt_sha256"] = hash }), ""},
		{submission(r.t, nil), ""},
		{submission(r.t, func(m map[string]any) { m["channel"], m["answered"] = "phone", "2026-11-20" }), r.tokens[store.RightImport]},
	} {
		if a := r.post(c.body, c.token); a.status != http.StatusCreated {
			r.t.Fatal(a.status, a.body)
		}
	}
	tablet := r.paired("Q2")
	n := tablet.give(nil)
	tablet.sync()
	return append(codes, tablet.codes[n])
}

// everything reads all that there is to read, by every right, and returns the exported answers.
func (r *reader) everything() []ExportedResponse {
	r.t.Helper()
	var page ResponsePage
	for _, right := range store.Rights {
		cookie := r.signedIn(r.tokens[right])
		for _, rt := range r.server.routes {
			if rt.method != http.MethodGet || rt.access == tablet {
				continue
			}
			c := call{path: address(r.server, rt), token: r.tokens[right]}
			if rt.access == session {
				c.token, c.cookie = "", cookie
			}
			a := r.send(c)
			if rt.pattern == "/api/v1/responses" && right == store.RightExport {
				if err := json.Unmarshal([]byte(a.body), &page); err != nil || len(page.Responses) != len(r.victims) {
					r.t.Fatalf("the export: %v %.300s", err, a.body)
				}
			}
			if rt.pattern == "/api/v1/backup" && right == store.RightBackup {
				gz, err := gzip.NewReader(strings.NewReader(a.body))
				if err != nil {
					r.t.Fatal(err)
				}
				text, err := io.ReadAll(gz)
				if err != nil || !bytes.Contains(text, []byte("responses")) {
					r.t.Fatalf("the backup: %v", err)
				}
				r.read = append(r.read, string(text))
			}
		}
	}
	return page.Responses
}

// workedOut are codes that follow from answers as they are stored and from the root
// secret: as versions before gave them, and with nonces of what is at hand.
func (r *reader) workedOut() (codes []string) {
	r.t.Helper()
	foreign := formValues(r.env, testDesk).Get("stamp")
	for _, v := range r.victims {
		for _, stamp := range []string{stamped(r.t, r.env, v.ID.String(), v.Answered), foreign} {
			code, before, err := r.server.formReceipt(v.ID, stamp)
			if err != nil {
				r.t.Fatal(err)
			}
			codes = append(codes, code, before)
		}
		for _, nonce := range [][]byte{nil, v.ID[:], v.Digest, v.Receipt, make([]byte, stampNonce), make([]byte, stampSize)} {
			codes = append(codes, r.store.Receipt(v.ID, nonce))
		}
	}
	return codes
}

// again sends an exported answer by every way, alone and with a code of the reader's.
func (r *reader) again(x *ExportedResponse) {
	r.t.Helper()
	own, hash := ownCode(r.t)
	body := map[string]any{"id": x.ID, "round": x.Round, "desk": x.Desk, "instrument": x.Instrument, "version": x.Version, "answers": x.Answers,
		"field": x.Field, "filing": x.Filing, "profile": x.Profile, "helped": x.Helped, "comment": x.Comment, "language": x.Language}
	for _, with := range []string{"", hash} {
		if body["receipt_sha256"] = with; with == "" {
			delete(body, "receipt_sha256")
		}
		text := string(jsonOf(r.t, body))
		for _, token := range append([]string{""}, r.allTokens()...) {
			c := call{method: http.MethodPost, path: "/api/v1/responses", contentType: typeJSON, token: token, body: text}
			first := r.send(c)
			if token == "" && first.outcome(r.t).Outcome != "duplicate" {
				r.t.Errorf("an answer by %s, %s, sent again: %d %s", x.Channel, x.Door, first.status, first.body)
			}
			c.body = "[" + text + "]"
			r.send(c)
		}
		r.unharmed(fmt.Sprintf("sent again to the API, own hash %t", with != ""), own)
	}
	form := url.Values{"id": {x.ID}, "round": {x.Round}, "instrument": {x.Instrument}, "version": {fmt.Sprint(x.Version)}, "field": {x.Field}, "comment": {x.Comment}, "nonce": {own}}
	for item, a := range x.Answers {
		form.Set(itemPrefix+item, a.Word())
	}
	id, err := survey.ParseID(x.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	at, err := store.ParseHour(x.Answered)
	if err != nil {
		r.t.Fatal(err)
	}
	for name, stamp := range map[string]string{"no stamp": "", "another form's": formValues(r.env, testDesk).Get("stamp"), "one forged with the root secret": stamped(r.t, r.env, id.String(), at)} {
		form.Set("stamp", stamp)
		for range 2 {
			page := r.send(call{method: http.MethodPost, path: "/s/" + x.Desk, contentType: typeForm, body: form.Encode()})
			if page.status != http.StatusOK || receiptPattern.MatchString(page.body) {
				r.t.Errorf("posted as a form, %s: %d, a receipt %q", name, page.status, receiptPattern.FindString(page.body))
			}
		}
		r.unharmed("posted as a form, "+name, own)
	}
	thief := r.paired(x.Desk)
	n := thief.give(func(m map[string]any) {
		for k, v := range body {
			m[k] = v
		}
	})
	thief.sync()
	r.unharmed("sent by a tablet", thief.codes[n], own)
}

func (r *reader) allTokens() (tokens []string) {
	for _, right := range store.Rights {
		if right != store.RightTablet {
			tokens = append(tokens, r.tokens[right])
		}
	}
	slices.Sort(tokens)
	return tokens
}
