package web

import (
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"sipas/api/store"
)

// Sizes of request bodies.
const (
	// smallBody fits a form or one submission: 64 items, a profile and a comment
	// of 1,000 characters, each percent-encoded, take about 15 KB.
	smallBody = 64 << 10
	// batchBody fits 500 submissions.
	batchBody = 8 << 20
	// documentsBody fits the staff documents of a province, over 20,000 units
	// and desks.
	documentsBody = 8 << 20
	// restoreBody fits the staff documents of a backup, which must come at once.
	// Answers come in much smaller parts.
	restoreBody = 32 << 20
	// syncBody fits a batch of a tablet: 200 sealed answers with comments.
	syncBody = 4 << 20
	// exportBody fits what a tablet exports: 20,000 answers, in base64 twice.
	exportBody = 64 << 20
)

// access says how a route learns who calls.
type access uint8

const (
	// public routes are for everybody; a credential is not looked at.
	public access = iota
	// optional routes take a bearer token or none; a wrong one is refused.
	optional
	// bearer routes need a bearer token.
	bearer
	// session routes are pages for a signed-in reader.
	session
	// tablet routes need the key of a paired tablet as bearer token.
	tablet
)

// Content types of request bodies.
const (
	typeJSON = "application/json"
	typeForm = "application/x-www-form-urlencoded"
	typeText = "text/plain"
	// typeMultipart is that of a form with a file.
	typeMultipart = "multipart/form-data"
)

// route is one line of the route table.
type route struct {
	method, path string
	// pattern writes the path as openapi.yaml and the log do: /s/{desk}. It is
	// filled in from path.
	pattern string
	access  access
	// rights of which the caller needs one; empty where access is public.
	rights []store.Right
	// body is the largest body in bytes. Where rights are needed it holds for a
	// caller that has them; others get smallBody.
	body int
	// accepts is the content type of the body, "" for a route without one.
	accepts string
	timeout time.Duration
	// citizen routes stay when only the form is served.
	citizen bool
	// limited routes take only so much of a kind from one address without a token;
	// over is what it gets at first, nil an error.
	limited kind
	over    func(*request) error
	// early routes answer before there is a store.
	early bool
	// page routes tell errors as HTML, the others as JSON.
	page    bool
	handler func(*request) error
}

// patternOf turns Fiber's /s/:desk into /s/{desk}.
func patternOf(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			name, suffix, dotted := strings.Cut(name, ".")
			parts[i] = "{" + name + "}"
			if dotted {
				parts[i] += "." + suffix
			}
		}
	}
	return strings.Join(parts, "/")
}

// table lists every route of the service.
func (s *Server) table() []route {
	type rights = []store.Right
	// Every document is a durable write of its own, which bulk is for; thorough is for reading and comparing everything.
	const quick, slow, bulk, thorough = 5 * time.Second, 45 * time.Second, 2 * time.Minute, 10 * time.Minute
	get, post, put := fiber.MethodGet, fiber.MethodPost, fiber.MethodPut
	all := []route{
		{method: get, path: "/s", timeout: quick, citizen: true, page: true, handler: s.askCode},
		{method: post, path: "/s", timeout: quick, citizen: true, page: true, body: smallBody, accepts: typeForm, handler: s.postCode},
		{method: get, path: "/s/:desk", timeout: quick, citizen: true, page: true, handler: s.showForm},
		{method: post, path: "/s/:desk", timeout: quick, citizen: true, page: true, body: smallBody, accepts: typeForm, limited: answers, over: s.formLater, handler: s.postForm},
		{method: get, path: "/r", timeout: quick, citizen: true, page: true, handler: s.showWithdrawal},
		{method: post, path: "/r", timeout: quick, citizen: true, page: true, body: smallBody, accepts: typeForm, limited: withdrawals, over: s.withdrawLater, handler: s.withdraw},
		{method: get, path: "/notice", timeout: quick, citizen: true, page: true, handler: s.noticePage},
		{method: get, path: "/qr/:desk.png", timeout: quick, citizen: true, handler: s.qrPNG},
		{method: get, path: "/qr/:desk.svg", timeout: quick, citizen: true, handler: s.qrSVG},
		{method: get, path: "/qr/:desk", timeout: quick, citizen: true, page: true, handler: s.qrSheet},
		{method: get, path: "/static/:file", timeout: quick, citizen: true, early: true, handler: s.staticFile},
		{method: get, path: "/sound/:file", timeout: quick, citizen: true, early: true, handler: s.sound},
		{method: get, path: "/livez", timeout: quick, citizen: true, early: true, handler: s.live},

		{method: get, path: "/", timeout: quick, page: true, handler: s.landing},
		{method: get, path: "/readyz", timeout: quick, early: true, handler: s.ready},
		{method: get, path: "/board/:unit", timeout: slow, page: true, handler: s.boardPage},
		{method: get, path: "/openapi.yaml", timeout: quick, early: true, handler: s.openAPI},
		{method: get, path: "/signin", timeout: quick, page: true, handler: s.showSignIn},
		{method: post, path: "/signin", timeout: quick, page: true, body: smallBody, accepts: typeForm, limited: signIns, handler: s.signIn},
		{method: post, path: "/signout", timeout: quick, page: true, body: smallBody, handler: s.signOut},
		{method: get, path: "/reports", access: session, rights: rights{store.RightFull, store.RightReport}, timeout: quick, page: true, handler: s.reportList},
		{method: get, path: "/reports/:round", access: session, rights: rights{store.RightFull}, timeout: slow, page: true, handler: s.reportPage},
		{method: get, path: "/reports/:round/items", access: session, rights: rights{store.RightFull}, timeout: slow, page: true, handler: s.itemsPage},
		{method: get, path: "/reports/:round/compare", access: session, rights: rights{store.RightFull}, timeout: slow, page: true, handler: s.comparePage},
		{method: get, path: "/trend", access: session, rights: rights{store.RightFull}, timeout: slow, page: true, handler: s.trendPage},
		{method: get, path: "/fleet", access: session, rights: rights{store.RightStaff}, timeout: slow, page: true, handler: s.fleetPage},
		{method: get, path: "/fleet/new", access: session, rights: rights{store.RightStaff}, timeout: quick, page: true, handler: s.newTabletPage},
		{method: post, path: "/fleet/new", access: session, rights: rights{store.RightStaff}, timeout: quick, page: true, body: smallBody, accepts: typeForm, handler: s.addTablet},
		{method: get, path: "/fleet/upload", access: session, rights: rights{store.RightStaff}, timeout: quick, page: true, handler: s.uploadPage},
		{method: post, path: "/fleet/upload", access: session, rights: rights{store.RightStaff}, timeout: bulk, page: true, body: exportBody, accepts: typeMultipart, handler: s.uploadExport},
		{method: get, path: "/fleet/quarantine", access: session, rights: rights{store.RightStaff}, timeout: slow, page: true, handler: s.quarantinePage},
		{method: post, path: "/fleet/quarantine", access: session, rights: rights{store.RightStaff}, timeout: bulk, page: true, body: smallBody, accepts: typeForm, handler: s.changeQuarantine},
		{method: get, path: "/fleet/:device", access: session, rights: rights{store.RightStaff}, timeout: quick, page: true, handler: s.tabletPage},
		{method: post, path: "/fleet/:device", access: session, rights: rights{store.RightStaff}, timeout: quick, page: true, body: smallBody, accepts: typeForm, handler: s.changeTablet},
		{method: get, path: "/pictures/:round", access: session, rights: rights{store.RightReport, store.RightFull}, timeout: slow, page: true, handler: s.picturePage},
		{method: get, path: "/pictures/:round/csv", access: session, rights: rights{store.RightReport, store.RightFull}, timeout: slow, page: true, handler: s.pictureCSV},

		{method: post, path: "/api/v1/responses", access: optional, rights: rights{store.RightSubmit, store.RightImport}, timeout: quick, body: batchBody, accepts: typeJSON, limited: answers, handler: s.postResponses},
		{method: get, path: "/api/v1/responses", access: bearer, rights: rights{store.RightExport}, timeout: slow, handler: s.exportResponses},
		{method: get, path: "/api/v1/rounds/:round/responses.csv", access: bearer, rights: rights{store.RightExport}, timeout: slow, handler: s.exportCSV},
		{method: get, path: "/api/v1/rounds", access: bearer, rights: rights{store.RightFull, store.RightReport}, timeout: quick, handler: s.listRounds},
		{method: get, path: "/api/v1/rounds/:round/report", access: bearer, rights: rights{store.RightFull}, timeout: slow, handler: s.reportJSON},
		{method: get, path: "/api/v1/rounds/:round/items", access: bearer, rights: rights{store.RightFull}, timeout: slow, handler: s.itemsJSON},
		{method: get, path: "/api/v1/rounds/:round/compare", access: bearer, rights: rights{store.RightFull}, timeout: slow, handler: s.compareJSON},
		{method: get, path: "/api/v1/rounds/:round/picture", access: bearer, rights: rights{store.RightReport, store.RightFull}, timeout: slow, handler: s.pictureJSON},
		{method: post, path: "/api/v1/rounds/:round/slips", access: bearer, rights: rights{store.RightStaff}, timeout: slow, body: smallBody, accepts: typeJSON, handler: s.postSlips},
		{method: get, path: "/api/v1/trend", access: bearer, rights: rights{store.RightFull}, timeout: slow, handler: s.trendJSON},
		{method: get, path: "/api/v1/documents", access: bearer, rights: rights{store.RightStaff}, timeout: slow, handler: s.getDocuments},
		{method: put, path: "/api/v1/documents", access: bearer, rights: rights{store.RightStaff}, timeout: bulk, body: documentsBody, accepts: typeJSON, handler: s.putDocuments},
		{method: get, path: "/api/v1/exclusions", access: bearer, rights: rights{store.RightStaff, store.RightExport}, timeout: slow, handler: s.getExclusions},
		{method: post, path: "/api/v1/exclusions", access: bearer, rights: rights{store.RightStaff}, timeout: quick, body: smallBody, accepts: typeJSON, handler: s.postExclusion},
		{method: get, path: "/kiosk", timeout: quick, early: true, page: true, handler: s.kioskPage},
		{method: get, path: "/kiosk/sw.js", timeout: quick, early: true, handler: s.kioskWorker},
		{method: get, path: "/kiosk/:version/:file", timeout: quick, early: true, handler: s.kioskFile},
		{method: post, path: "/api/v1/kiosk/enrol", timeout: quick, body: smallBody, accepts: typeJSON, limited: pairings, handler: s.enrol},
		{method: post, path: "/api/v1/kiosk/sync", access: tablet, rights: rights{store.RightTablet}, timeout: slow, body: syncBody, accepts: typeJSON, handler: s.sync},
		{method: get, path: "/api/v1/kiosk/bundle", access: tablet, rights: rights{store.RightTablet}, timeout: quick, handler: s.bundle},
		{method: post, path: "/api/v1/kiosk/exports", access: bearer, rights: rights{store.RightStaff}, timeout: bulk, body: exportBody, accepts: typeJSON, handler: s.postKioskExport},
		{method: post, path: "/api/v1/kiosk/covered", access: bearer, rights: rights{store.RightBackup}, timeout: slow, body: documentsBody, accepts: typeJSON, handler: s.postCovered},
		{method: get, path: "/api/v1/devices", access: bearer, rights: rights{store.RightStaff}, timeout: quick, handler: s.listDevices},
		{method: post, path: "/api/v1/devices", access: bearer, rights: rights{store.RightStaff}, timeout: quick, body: smallBody, accepts: typeJSON, handler: s.postDevice},
		{method: post, path: "/api/v1/devices/:device", access: bearer, rights: rights{store.RightStaff}, timeout: quick, body: smallBody, accepts: typeJSON, handler: s.changeDevice},
		{method: post, path: "/api/v1/devices/:device/pairing", access: bearer, rights: rights{store.RightStaff}, timeout: quick, body: smallBody, handler: s.pairDevice},
		{method: post, path: "/api/v1/devices/:device/revoke", access: bearer, rights: rights{store.RightStaff}, timeout: quick, body: smallBody, handler: s.revokeDevice},
		{method: post, path: "/api/v1/devices/:device/writeoff", access: bearer, rights: rights{store.RightStaff}, timeout: quick, body: smallBody, handler: s.writeOffDevice},
		{method: get, path: "/api/v1/quarantine", access: bearer, rights: rights{store.RightStaff}, timeout: slow, handler: s.getQuarantine},
		{method: post, path: "/api/v1/quarantine/retry", access: bearer, rights: rights{store.RightStaff}, timeout: bulk, body: smallBody, handler: s.retryQuarantine},
		{method: post, path: "/api/v1/quarantine/:id/discard", access: bearer, rights: rights{store.RightStaff}, timeout: quick, body: smallBody, handler: s.discardQuarantined},
		{method: get, path: "/api/v1/backup", access: bearer, rights: rights{store.RightBackup}, timeout: slow, handler: s.getBackup},
		{method: post, path: "/api/v1/restore", access: bearer, rights: rights{store.RightRestore}, timeout: bulk, body: restoreBody, accepts: typeText, handler: s.postRestore},
		{method: post, path: "/api/v1/restore/responses", access: bearer, rights: rights{store.RightRestore}, timeout: bulk, body: batchBody, accepts: typeJSON, handler: s.postRestoredRows},
		{method: get, path: "/api/v1/status", access: bearer, rights: rights{store.RightStaff, store.RightFull}, timeout: slow, handler: s.status},
		{method: get, path: "/api/v1/tokens", access: bearer, rights: rights{store.RightTokens}, timeout: quick, handler: s.listTokens},
		{method: post, path: "/api/v1/tokens", access: bearer, rights: rights{store.RightTokens}, timeout: quick, body: smallBody, accepts: typeJSON, handler: s.postToken},
		{method: post, path: "/api/v1/tokens/revoke", access: bearer, rights: rights{store.RightTokens}, timeout: quick, body: smallBody, accepts: typeJSON, handler: s.revokeToken},
		{method: get, path: "/api/v1/verify", access: bearer, rights: rights{store.RightStaff}, timeout: thorough, handler: s.verify},
	}
	for i := range all {
		all[i].pattern = patternOf(all[i].path)
	}
	if !s.cfg.FormOnly {
		return all
	}
	var citizens []route
	for _, rt := range all {
		if rt.citizen {
			citizens = append(citizens, rt)
		}
	}
	return citizens
}

// limits finds the routes whose body may be larger than smallBody while a
// request's header is all there is to read. All of them have fixed paths.
type limits struct{ large map[string]*route }

func newLimits(routes []route) *limits {
	l := &limits{large: map[string]*route{}}
	for i := range routes {
		if rt := &routes[i]; rt.body > smallBody {
			l.large[rt.method+" "+rt.path] = rt
		}
	}
	return l
}

// requestConfig sets the limit of a body before it is read: the route's own
// for a caller with the right to it, a small one for all others, so that nobody
// fills the memory without a token or a session.
func (s *Server) requestConfig(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	small := fasthttp.RequestConfig{MaxRequestBodySize: smallBody}
	if n := h.ContentLength(); n >= 0 && n <= smallBody || !s.open.Load() {
		return small
	}
	path, _, _ := strings.Cut(string(h.RequestURI()), "?")
	rt := s.limits.large[string(h.Method())+" "+s.below(path)]
	if rt == nil {
		return small
	}
	allowed := false
	switch rt.access {
	case tablet:
		device, _ := s.bearerTablet(h)
		allowed = device != nil && !s.tablets.spent(device.Key, s.cfg.Now())
	case session:
		_, token, ok := s.sessionToken(string(h.Cookie(s.cookieName())))
		allowed = ok && allows(token, rt.rights)
	default:
		token, err := s.bearerToken(h)
		allowed = err == nil && token != nil && allows(*token, rt.rights)
	}
	if !allowed {
		return small
	}
	return fasthttp.RequestConfig{MaxRequestBodySize: rt.body, ReadTimeout: 2 * time.Minute}
}

// allows reports whether a token has one of the rights.
func allows(t store.Token, rights []store.Right) bool {
	for _, r := range rights {
		if t.Allows(r) {
			return true
		}
	}
	return len(rights) == 0
}
