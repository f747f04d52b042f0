package web

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sipas/api/store"
)

// behindProxies starts a service behind a proxy on this machine and two others, which
// takes two requests from each caller.
func behindProxies(t *testing.T, change func(*Config)) *env {
	e := start(t, options{config: func(c *Config) {
		c.Proxies = []netip.Prefix{netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("2001:db8:99::7/128"),
			netip.MustParsePrefix("::ffff:192.168.40.0/120")}
		if change != nil {
			change(c)
		}
	}})
	e.server.limiters[answers].burst = 2
	return e
}

// passedOn sends a request as a proxy on this machine would, with these header lines.
func (e *env) passedOn(method, path string, lines ...string) (status int) {
	e.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
	if err != nil {
		e.t.Fatal(err)
	}
	defer conn.Close()
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: khaosat.example.vn\r\nConnection: close\r\n", method, path)
	for _, line := range lines {
		head += line + "\r\n"
	}
	if method == http.MethodPost {
		head += "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
	} else {
		head += "\r\n"
	}
	if _, err := io.WriteString(conn, head); err != nil {
		e.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		e.t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

// forgetCallers lets everybody send again.
func (e *env) forgetCallers() {
	l := &e.server.limiters[answers]
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.buckets)
}

// sends hands in something that is no answer, and reports whether it was looked at
// rather than told to wait.
func (e *env) sends(lines ...string) bool {
	e.t.Helper()
	return e.passedOn(http.MethodPost, "/api/v1/responses", lines...) != http.StatusTooManyRequests
}

// waits reports whether the caller behind these lines has used up what one may send.
func (e *env) waits(lines ...string) bool {
	e.t.Helper()
	for range 3 {
		if !e.sends(lines...) {
			return true
		}
	}
	return false
}

// Whoever the nearest trusted proxy names is who waits, in whatever way it is written;
// whom the client itself named before does not.
func TestCallerBehindProxy(t *testing.T) {
	waits(t)
	e := behindProxies(t, nil)
	const v4, v6 = "X-Forwarded-For: 203.0.113.5", "X-Forwarded-For: 2001:db8:1:2::1"
	for name, c := range map[string]struct {
		lines []string
		is    string // the same caller, plainly written; "" where nobody is named
	}{
		"plain":                      {[]string{v4}, v4},
		"one line":                   {[]string{"X-Forwarded-For: 198.51.100.9, 203.0.113.5"}, v4},
		"two lines":                  {[]string{"X-Forwarded-For: 198.51.100.9", v4}, v4},
		"three lines":                {[]string{"X-Forwarded-For: 198.51.100.9", v4, "X-Forwarded-For: 172.16.3.4"}, v4},
		"any case":                   {[]string{"x-forwarded-FOR: 203.0.113.5"}, v4},
		"port":                       {[]string{"X-Forwarded-For: 203.0.113.5:51234"}, v4},
		"ports and proxies":          {[]string{"X-Forwarded-For: 198.51.100.9:1, 203.0.113.5:51234, 172.16.3.4:80,172.17.0.1"}, v4},
		"mapped":                     {[]string{"X-Forwarded-For: ::ffff:203.0.113.5"}, v4},
		"mapped with port":           {[]string{"X-Forwarded-For: [::ffff:203.0.113.5]:443"}, v4},
		"network mapped":             {[]string{"X-Forwarded-For: 203.0.113.5, 192.168.40.9"}, v4},
		"mapped proxy":               {[]string{"X-Forwarded-For: 203.0.113.5, ::ffff:172.16.3.4"}, v4},
		"loopback proxies":           {[]string{"X-Forwarded-For: 203.0.113.5, 127.0.0.1, [::1]:80"}, v4},
		"white space":                {[]string{"X-Forwarded-For: \t 203.0.113.5 \t"}, v4},
		"empty entries":              {[]string{"X-Forwarded-For: 198.51.100.9,, 203.0.113.5, ,"}, v4},
		"empty line":                 {[]string{v4, "X-Forwarded-For: "}, v4},
		"quoted":                     {[]string{`X-Forwarded-For: "203.0.113.5"`}, v4},
		"bare":                       {[]string{"X-Forwarded-For: 2001:db8:1:2:9::1"}, v6},
		"brackets":                   {[]string{"X-Forwarded-For: [2001:db8:1:2:9::1]"}, v6},
		"brackets and port":          {[]string{"X-Forwarded-For: [2001:db8:1:2:9::1]:4711"}, v6},
		"quoted brackets":            {[]string{`X-Forwarded-For: "[2001:DB8:1:2:9::1]:4711"`}, v6},
		"zone":                       {[]string{"X-Forwarded-For: 2001:db8:1:2:9::1%eth0"}, v6},
		"zone in brackets":           {[]string{"X-Forwarded-For: [2001:db8:1:2:9::1%25eth0]:1"}, v6},
		"proxy of IPv6":              {[]string{"X-Forwarded-For: 2001:db8:1:2:9::1, 2001:db8:99::7"}, v6},
		"neighbour of a proxy":       {[]string{"X-Forwarded-For: 203.0.113.5, 2001:db8:99::8"}, "X-Forwarded-For: 2001:db8:99::8"},
		"a quote left open":          {[]string{`X-Forwarded-For: "198.51.100.9, 203.0.113.5`}, v4},
		"a quote open on its line":   {[]string{`X-Forwarded-For: "198.51.100.9`, v4}, v4},
		"unknown before":             {[]string{"X-Forwarded-For: unknown, 203.0.113.5"}, v4},
		"unknown":                    {[]string{"X-Forwarded-For: 203.0.113.5, unknown"}, ""},
		"unknown on a line":          {[]string{v4, "X-Forwarded-For: unknown"}, ""},
		"a name":                     {[]string{"X-Forwarded-For: client.example.vn"}, ""},
		"no address":                 {[]string{"X-Forwarded-For: 203.0.113.555"}, ""},
		"nothing":                    {nil, ""},
		"another header":             {[]string{"X-Real-IP: 203.0.113.5"}, ""},
		"proxies alone":              {[]string{"X-Forwarded-For: 172.16.3.4, 127.0.0.1"}, ""},
		"brackets left open":         {[]string{"X-Forwarded-For: [2001:db8:1:2::1"}, ""},
		"Forwarded":                  {[]string{"Forwarded: for=203.0.113.5"}, v4},
		"Forwarded, all of it":       {[]string{`forwarded: By=203.0.113.43; FOR="203.0.113.5:_port" ;proto=http;host="a;for=1.1.1.1,for=9.9.9.9"`}, v4},
		"Forwarded, one line":        {[]string{"Forwarded: for=198.51.100.9, for=203.0.113.5;proto=https, for=172.16.3.4"}, v4},
		"Forwarded, two lines":       {[]string{"Forwarded: for=198.51.100.9", "Forwarded: for=203.0.113.5"}, v4},
		"Forwarded, a quote open":    {[]string{`Forwarded: for="198.51.100.9, for=203.0.113.5`}, v4},
		"Forwarded, an escape":       {[]string{`Forwarded: for=198.51.100.9;host="\", for=203.0.113.5;host="b\\"`}, v4},
		"Forwarded, IPv6":            {[]string{`Forwarded: for="[2001:db8:1:2:9::1]:4711"`}, v6},
		"Forwarded, IPv6 quoted":     {[]string{`Forwarded: for="[2001:db8:1:2:9\::1]"`}, v6},
		"Forwarded, mapped":          {[]string{`Forwarded: for="[::ffff:203.0.113.5]"`}, v4},
		"Forwarded, hidden":          {[]string{"Forwarded: for=203.0.113.5, for=_hidden"}, ""},
		"Forwarded, unknown":         {[]string{"Forwarded: for=203.0.113.5, for=Unknown"}, ""},
		"Forwarded, nobody":          {[]string{"Forwarded: for=203.0.113.5, proto=https;by=1.1.1.1"}, ""},
		"Forwarded, for twice":       {[]string{"Forwarded: for=203.0.113.5;for=198.51.100.9"}, ""},
		"both agree":                 {[]string{"Forwarded: for=203.0.113.5", v4}, v4},
		"both agree on a network":    {[]string{`Forwarded: for="[2001:db8:1:2:7::2]"`, v6}, v6},
		"both after different ones":  {[]string{"Forwarded: for=198.51.100.9, for=203.0.113.5", v4, "X-Forwarded-For: 172.16.3.4"}, v4},
		"a second that says nothing": {[]string{"Forwarded: ", v4}, v4},
	} {
		t.Run(name, func(t *testing.T) {
			e.forgetCallers()
			if named := c.is != ""; e.waits(c.lines...) != named {
				t.Fatalf("told to wait: %v, want %v", !named, named)
			}
			if c.is != "" && e.sends(c.is) {
				t.Errorf("%s is another caller", c.is)
			}
			for _, other := range []string{"X-Forwarded-For: 198.51.100.9", "X-Forwarded-For: 172.16.3.4, 198.51.100.10"} {
				if !e.sends(other) {
					t.Errorf("%s waits too", other)
				}
			}
		})
	}
}

// A client that sends the header which the proxy does not write neither chooses its
// address nor makes a victim wait.
func TestTwoHeadersThatDisagree(t *testing.T) {
	waits(t)
	const attacker, victim = "203.0.113.66", "198.51.100.9"
	e := behindProxies(t, nil)
	for _, other := range []string{victim, "unknown", "127.0.0.1", "nonsense"} {
		for _, lines := range [][]string{
			{"X-Forwarded-For: " + attacker, "Forwarded: for=" + other},
			{"Forwarded: for=" + attacker, "X-Forwarded-For: " + other},
		} {
			t.Run(strings.Join(lines, " "), func(t *testing.T) {
				e.forgetCallers()
				if !e.waits(lines...) {
					t.Error("nothing limits who sends both")
				}
				for _, line := range []string{"X-Forwarded-For: " + victim, "Forwarded: for=" + victim} {
					if !e.sends(line) {
						t.Errorf("%s waits", line)
					}
				}
				for n := range 3 {
					name := fmt.Sprintf("198.51.100.%d", 20+n)
					if e.sends(lines[0], strings.Replace(lines[1], other, name, 1)) {
						t.Error("another name is another caller")
					}
				}
				if log := e.log.String(); strings.Count(log, "SIPAS_PROXY_HEADER") != 1 || strings.Contains(log, attacker) || strings.Contains(log, victim) {
					t.Errorf("the log says\n%s", log)
				}
			})
		}
	}
	for header, believed := range map[string]string{"x-forwarded-for": "X-Forwarded-For: ", "Forwarded": "Forwarded: for="} {
		t.Run("only "+header, func(t *testing.T) {
			e := behindProxies(t, func(c *Config) { c.ProxyHeader = header })
			lines := []string{"X-Forwarded-For: " + victim, "Forwarded: for=" + victim, believed + attacker}
			if !e.waits(lines...) || e.sends(believed+attacker) || !e.sends(believed+victim) {
				t.Error("the header that was chosen does not decide")
			}
			if strings.Contains(e.log.String(), "SIPAS_PROXY_HEADER") {
				t.Error("it warns")
			}
		})
	}
}

// A proxy that names nobody is told of at once and once, in the log and to staff, and
// whoever floods through it makes nobody else wait.
func TestProxyThatNamesNobody(t *testing.T) {
	waits(t)
	for name, first := range map[string][2]string{
		"opening a form": {http.MethodGet, "/s/" + testDesk}, "withdrawing": {http.MethodGet, "/r"}, "handing in": {http.MethodPost, "/api/v1/responses"},
	} {
		t.Run(name, func(t *testing.T) {
			clock := &testClock{}
			e := behindProxies(t, func(c *Config) { c.Now = clock.now })
			warnings := func(right store.Right) string {
				a := e.do(call{path: "/readyz", token: e.tokens[right], header: map[string]string{"X-Forwarded-For": "203.0.113.5"}})
				if a.status != http.StatusOK {
					t.Fatalf("%d %s", a.status, a.body)
				}
				_, list, _ := strings.Cut(a.body, "warnings")
				return list
			}
			said := func() int { return strings.Count(e.log.String(), "does not say whose request") }
			e.passedOn(http.MethodGet, "/readyz") // a supervisor is no proxy
			if warnings(store.RightStaff) != "" || said() != 0 {
				t.Fatal("warned too early")
			}
			e.passedOn(first[0], first[1])
			if said() != 1 || !strings.Contains(warnings(store.RightStaff), `["proxy_names_nobody"]`) {
				t.Fatalf("no warning; the log says\n%s", e.log.String())
			}
			for right := range maps.Keys(e.tokens) {
				if right != store.RightStaff && warnings(right) != "" {
					t.Errorf("%s is told", right)
				}
			}
			if e.waits() || said() != 1 {
				t.Errorf("it waits, or the log has it %d times", said())
			}
			clock.pass(warnAgain / 2)
			e.waits()
			clock.pass(warnAgain/2 + 1)
			if e.waits(); said() != 1 {
				t.Errorf("the log has it %d times while it goes on", said())
			}
			clock.pass(warnAgain + 1)
			if warnings(store.RightStaff) != "" {
				t.Error("it warns though it was mended")
			}
			if e.waits(); said() != 2 {
				t.Errorf("the log has it %d times when it began again", said())
			}
		})
	}
}

// Where nothing is in front the peer is the caller, whatever it says of itself.
func TestCallerWithoutProxy(t *testing.T) {
	e := behindProxies(t, func(c *Config) { c.Direct = true })
	if !e.waits("X-Forwarded-For: 203.0.113.5") || e.sends("X-Forwarded-For: 203.0.113.6", "Forwarded: for=203.0.113.7") {
		t.Error("it chose its address")
	}
	if log := e.log.String(); strings.Contains(log, "proxy") {
		t.Errorf("the log says\n%s", log)
	}
}

// FuzzCaller: nothing that a client sends before what the proxy adds, on its own lines
// or on the same one, changes who is named.
func FuzzCaller(f *testing.F) {
	s := &Server{}
	for _, seed := range []string{"198.51.100.9", `"`, `for="`, `for="\`, `for="a\\", for=b`, "for=_a, unknown,,", "[::1", `host="a,b;for=1.1.1.1"`, "\\\"", "::%\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		want := netip.MustParseAddr("203.0.113.5")
		for _, h := range []struct {
			proxyHeader
			adds []string
		}{
			{proxyHeaders[0], []string{"203.0.113.5", "203.0.113.5:80", "::ffff:203.0.113.5", "203.0.113.5, 127.0.0.1"}},
			{proxyHeaders[1], []string{"for=203.0.113.5", `by=_x;For="203.0.113.5:80";host="a\",b;for=1.1.1.1"`, `for="[::ffff:203.0.113.5]:1", for=127.0.0.1`}},
		} {
			for _, added := range h.adds {
				for _, lines := range [][]string{{sent, added}, {sent + "," + added}, {sent, sent, sent + ", " + added}} {
					raw := make([][]byte, len(lines))
					for i, line := range lines {
						raw[i] = []byte(line)
					}
					if got, ok := s.nearest(raw, h.read); !ok || got != want {
						t.Errorf("%s %q: %v, %v", h.name, lines, got, ok)
					}
				}
			}
			alone, ok := s.nearest([][]byte{[]byte(sent)}, h.read)
			if ok && (!alone.IsValid() || alone.Zone() != "" || alone.Is4In6() || alone.IsLoopback()) {
				t.Errorf("%q is %v", sent, alone)
			}
		}
		// What cutLast cuts is all there is, whatever the quotes.
		var parts []string
		for rest, more := sent, true; more; {
			var part string
			rest, part, more = cutLast(rest, ',')
			parts = append(parts, part)
		}
		slices.Reverse(parts)
		if strings.Join(strings.Fields(strings.Join(parts, "")), "") != strings.Join(strings.Fields(strings.ReplaceAll(sent, ",", "")), "") && !strings.Contains(sent, `"`) {
			t.Errorf("%q became %q", sent, parts)
		}
	})
}
