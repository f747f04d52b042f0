package web

import (
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
)

// proxyHeader is a header in which proxies say whose request they pass on: read finds
// the address in one of its elements, which are separated by commas.
type proxyHeader struct {
	name string
	read func(element string) (netip.Addr, bool)
}

// proxyHeaders are those that are understood. X-Real-IP is not among them: it cannot be
// told whether a proxy wrote it or passed on what the client sent.
var proxyHeaders = [...]proxyHeader{{fiber.HeaderXForwardedFor, readNode}, {fiber.HeaderForwarded, readForwarded}}

// ProxyHeaders names the headers that [Config.ProxyHeader] may be.
func ProxyHeaders() []string {
	names := make([]string, len(proxyHeaders))
	for i, h := range proxyHeaders {
		names[i] = h.name
	}
	return names
}

// caller is the address that a request came from: the peer, or where that is a trusted
// proxy, whom the nearest ones name that are trusted too. A network of IPv6 counts as
// one. False where a proxy names nobody: then nobody can be told apart.
//
// A proxy writes one of the headers and may pass on the other as the client sent it.
// Where both came and disagree, nobody knows which is true: to believe either would
// let a client choose its address, or that of a victim. Such requests count together
// as the proxy's own, so they wait for each other and for nobody else.
func (s *Server) caller(r *request) (netip.Addr, bool) {
	peer, ok := netip.AddrFromSlice(r.Context().RemoteIP())
	if !ok {
		return peer, false
	}
	if peer = bare(peer); !s.trusted(peer) {
		return networkOf(peer), true
	}
	var from netip.Addr
	named, said := false, false
	for _, h := range proxyHeaders {
		if only := s.cfg.ProxyHeader; only != "" && !strings.EqualFold(only, h.name) {
			continue
		}
		lines := r.Request().Header.PeekAll(h.name)
		if !slices.ContainsFunc(lines, func(line []byte) bool { return len(line) > 0 }) {
			continue
		}
		a, ok := s.nearest(lines, h.read)
		if said && (ok != named || a != from) {
			s.warnProxy(&s.disagreed, "two headers that came through a trusted proxy name different callers, who count as one and wait for each other: "+
				"set SIPAS_PROXY_HEADER to the one that the proxy writes, and let the proxy remove the other")
			return networkOf(peer), true
		}
		from, named, said = a, ok, true
	}
	if !named {
		s.warnProxy(&s.unnamed, "a trusted proxy does not say whose request it passes on, so nobody behind it is limited: let it set X-Forwarded-For "+
			"(README.md shows how). On this machine it may also be a program that asks without a proxy")
	}
	return from, named
}

// nearest walks from the nearest proxy to the first address that is not one of a trusted
// proxy. Lines are read one by one, so that nothing in a client's line reaches into
// that of a proxy.
func (s *Server) nearest(lines [][]byte, read func(string) (netip.Addr, bool)) (netip.Addr, bool) {
	for _, line := range slices.Backward(lines) {
		for rest, more := string(line), true; more; {
			var element string
			if rest, element, more = cutLast(rest, ','); element == "" {
				continue
			}
			from, ok := read(element)
			if !ok {
				return netip.Addr{}, false
			}
			if !s.trusted(from) {
				return networkOf(from), true
			}
		}
	}
	return netip.Addr{}, false
}

// cutLast cuts at the last separator outside quotes. It reads from the right, where the
// nearest proxy wrote: a quote that a client opened and left open ends there.
func cutLast(s string, separator byte) (before, after string, found bool) {
	quoted := false
	for i := len(s) - 1; i >= 0; i-- {
		switch {
		case s[i] == '"' && !escaped(s[:i]):
			quoted = !quoted
		case s[i] == separator && !quoted:
			return s[:i], strings.TrimSpace(s[i+1:]), true
		}
	}
	return "", strings.TrimSpace(s), false
}

// escaped reports whether what follows s stands behind a backslash that is none itself.
func escaped(s string) bool { return (len(s)-len(strings.TrimRight(s, `\`)))%2 == 1 }

// readForwarded reads the parameter "for" of an element of Forwarded (RFC 7239).
func readForwarded(element string) (netip.Addr, bool) {
	node, found := "", false
	for more := true; more; {
		var pair string
		element, pair, more = cutLast(element, ';')
		name, value, _ := strings.Cut(pair, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "for") {
			continue
		}
		if found { // which the standard forbids
			return netip.Addr{}, false
		}
		node, found = value, true
	}
	return readNode(node)
}

// readNode reads an address: with a port or without, IPv6 in brackets or bare, quoted or
// not. False for "unknown", for a name that hides one, and for anything else.
func readNode(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if inner, ok := strings.CutPrefix(text, `"`); ok {
		if inner, ok = strings.CutSuffix(inner, `"`); !ok {
			return netip.Addr{}, false
		}
		text = strings.TrimSpace(strings.ReplaceAll(inner, `\`, "")) // no address has a backslash
	}
	host, port := text, ""
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if host, port, ok = strings.Cut(inner, "]"); !ok {
			return netip.Addr{}, false
		}
	} else if at := strings.IndexByte(text, ':'); at >= 0 && at == strings.LastIndexByte(text, ':') {
		host, port = text[:at], text[at:]
	}
	if port != "" && port[0] != ':' {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}, false
	}
	return bare(a), true
}

// bare is an address without the clothes it came in: IPv4 inside IPv6, the name of an
// interface.
func bare(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// bareNetwork writes a network of IPv4 inside IPv6, ::ffff:10.0.0.0/104, as one of IPv4:
// [bare] addresses lie in no other.
func bareNetwork(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}

// networkOf is the network of an address of IPv6, of which one person has more than can
// be counted; one of IPv4 stays.
func networkOf(a netip.Addr) netip.Addr {
	if a.Is6() {
		if of, err := a.Prefix(64); err == nil {
			return of.Addr()
		}
	}
	return a
}

// trusted reports whether an address is that of a proxy. Whoever is on this machine
// counts as one, unless nothing stands in front.
func (s *Server) trusted(a netip.Addr) bool {
	for _, p := range s.cfg.Proxies {
		if bareNetwork(p).Contains(a) {
			return true
		}
	}
	return a.IsLoopback() && !s.cfg.Direct
}

// warnAgain is how long something must not have been seen before it is said again, and
// is no warning of /readyz any more.
const warnAgain = time.Hour

// lastSeen is when something was seen last, in Unix seconds.
type lastSeen struct{ at atomic.Int64 }

// note reports whether it was not seen for long. Of several at once one is told so.
func (l *lastSeen) note(now time.Time) bool {
	seen := l.at.Load()
	since := now.Sub(time.Unix(seen, 0)).Abs()
	return since >= time.Second && l.at.CompareAndSwap(seen, now.Unix()) && since > warnAgain
}

// recent reports whether it was seen within warnAgain.
func (l *lastSeen) recent(now time.Time) bool {
	return now.Sub(time.Unix(l.at.Load(), 0)).Abs() <= warnAgain
}

// warnProxy says once what is wrong with a proxy, while it goes on.
func (s *Server) warnProxy(l *lastSeen, what string) {
	if l.note(s.cfg.Now()) {
		s.cfg.Log.Warn(what)
	}
}

// proxyWarnings are codes of what is wrong with proxies, for staff. They name no address.
func (s *Server) proxyWarnings() []string {
	var warnings []string
	if s.unnamed.recent(s.cfg.Now()) {
		warnings = append(warnings, "proxy_names_nobody")
	}
	if s.disagreed.recent(s.cfg.Now()) {
		warnings = append(warnings, "proxy_headers_disagree")
	}
	return warnings
}
