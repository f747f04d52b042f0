package web

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"
)

// longestURL is the most characters of a public URL: with /r# and a withdrawal code behind
// it, it must fit into the QR code that a tablet draws.
const longestURL = 190

var (
	hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9_-]*[a-z0-9])?)*$`)
	// Only characters that nobody on the way writes in another way, or takes for the end.
	pathSegment = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)
)

// ReadURL reads the address of a service: scheme, host, perhaps a port and a path, and
// nothing else. It returns it as browsers write it, without a slash at the end. The error
// says what is wrong and repeats nothing of what may be a password.
func ReadURL(s string) (string, error) {
	if scheme, _, ok := strings.Cut(s, "://"); !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return "", errors.New("it begins with https:// or http:// and a host")
	}
	for _, r := range s {
		switch {
		case r <= ' ' || r == 0x7f:
			return "", errors.New("it has a space or a control character")
		case r > 0x7f:
			return "", fmt.Errorf("it has the letter %q: write a host with such letters as browsers send it (xn--…), and a path without them", r)
		}
	}
	switch {
	case strings.Contains(s, "?"):
		return "", errors.New("it has a query (?…), which no address behind it could keep")
	case strings.Contains(s, "#"):
		return "", errors.New("it has a fragment (#…), which no address behind it could keep")
	case strings.Contains(s, "%"):
		return "", errors.New("it has percent-encoding, which proxies write in other ways: use a path of letters, digits and - . _ ~")
	case strings.Contains(s, `\`):
		return "", errors.New(`it has a \, which browsers take for a /`)
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", errors.New("it is no address: a host and perhaps a port stand behind https://")
	}
	if u.User != nil {
		return "", errors.New("it has a user (…@), which would stand in every QR code")
	}
	host, err := readHost(u)
	if err != nil {
		return "", err
	}
	path, err := readPath(u.Path)
	if err != nil {
		return "", err
	}
	return u.Scheme + "://" + host + path, nil
}

// readHost checks host and port, and leaves out the port that browsers leave out.
func readHost(u *url.URL) (string, error) {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	switch {
	case host == "":
		return "", errors.New("its host is missing")
	case strings.HasPrefix(u.Host, "["):
		host = "[" + host + "]" // url.Parse knows that it is an IPv6 address
	case !hostName.MatchString(host) || len(host) > 253:
		return "", fmt.Errorf("its host %q is no host name", host)
	}
	if strings.HasSuffix(u.Host, ":") {
		return "", errors.New("its port is missing behind the colon")
	}
	if port == "" || port == map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		return host, nil
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || port[0] == '0' {
		return "", fmt.Errorf("its port %s is none: 1 to 65535", port)
	}
	return host + ":" + port, nil
}

// readPath returns a path without a slash at the end, "" for none.
func readPath(path string) (string, error) {
	path = strings.TrimSuffix(path, "/")
	if path == "" {
		return "", nil
	}
	for _, segment := range strings.Split(path, "/")[1:] {
		switch {
		case segment == "":
			return "", errors.New("its path has //, which proxies make one")
		case segment == "." || segment == "..":
			return "", fmt.Errorf("its path has /%s, which browsers take out", segment)
		case !pathSegment.MatchString(segment):
			return "", fmt.Errorf("its path has %q: only letters, digits and - . _ ~ reach the service unchanged", segment)
		}
	}
	return path, nil
}

// ReadPublicURL reads an address under which people can reach the service: [ReadURL], with a
// path that nothing of the service lies at, because requests come with the path or without it.
func ReadPublicURL(s string) (string, error) {
	public, err := ReadURL(s)
	if err != nil {
		return "", err
	}
	if len(public) > longestURL {
		return "", fmt.Errorf("it has %d characters: QR codes on tablets have room for %d", len(public), longestURL)
	}
	_, path := splitURL(public)
	for _, rt := range new(Server).table() {
		if first := firstSegment(rt.path); first != "" && strings.EqualFold(first, firstSegment(path)) {
			return "", fmt.Errorf("its path begins with /%s, which is an address of the service itself: take another, as /khaosat", first)
		}
	}
	return public, nil
}

func firstSegment(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first
}

// splitURL divides a public URL into what browsers call its origin, and its path.
func splitURL(public string) (origin, path string) {
	scheme, rest, _ := strings.Cut(public, "://")
	host, path, ok := strings.Cut(rest, "/")
	if ok {
		path = "/" + path
	}
	return scheme + "://" + host, path
}

// href is the address at which browsers find a path of this service. "", which stands for
// nothing, stays.
func (s *Server) href(path string) string {
	if path == "" {
		return ""
	}
	return s.prefix + path
}

// below is the path of a request within the service. Some proxies pass the prefix on and
// some strip it: it is taken off once, and no route begins with it (see ReadPublicURL). One
// that strips a slash too few, as nginx does when its location lacks the last one, is
// understood too.
func (s *Server) below(path string) string {
	n := len(s.prefix)
	if n == 0 || path == "" || path[0] != '/' {
		return path
	}
	if len(path) >= n && strings.EqualFold(path[:n], s.prefix) && (len(path) == n || path[n] == '/') {
		path = path[n:]
	}
	return "/" + strings.TrimLeft(path, "/")
}

// strip takes the prefix out of the address of a request, before anything looks at it.
func (s *Server) strip(ctx *fasthttp.RequestCtx) {
	if s.prefix == "" {
		return
	}
	if asked := ctx.Request.Header.RequestURI(); bytes.HasPrefix(asked, []byte("//")) { // fasthttp takes what follows for a host
		ctx.Request.SetRequestURIBytes(append([]byte("/"), bytes.TrimLeft(asked, "/")...))
	}
	u := ctx.URI()
	u.SetPath(s.below(string(u.PathOriginal())))
}

// stripped lets what serves requests see their paths without the prefix.
func (s *Server) stripped(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		s.strip(ctx)
		next(ctx)
	}
}
