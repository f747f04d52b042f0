package store

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// hidden stands in place of what nobody may read.
const hidden = "xxxxx"

// shownParameters are those of an address whose values may be read. Of all others,
// misspelt ones too, they may not.
var shownParameters = []string{"appname", "authmechanism", "authsource", "compressors", "connecttimeoutms", "directconnection", "heartbeatfrequencyms", "journal",
	"loadbalanced", "localthresholdms", "maxconnecting", "maxidletimems", "maxpoolsize", "maxstalenessseconds", "minpoolsize", "proxyhost", "proxyport", "proxyusername",
	"readconcernlevel", "readpreference", "readpreferencetags", "replicaset", "retryreads", "retrywrites", "servermonitoringmode", "serverselectiontimeoutms",
	"sockettimeoutms", "srvmaxhosts", "srvservicename", "ssl", "sslcertificateauthorityfile", "sslclientcertificatekeyfile", "sslinsecure", "timeoutms", "tls",
	"tlsallowinvalidcertificates", "tlsallowinvalidhostnames", "tlscafile", "tlscertificatekeyfile", "tlsdisableocspendpointcheck", "tlsinsecure", "w", "waitqueuetimeoutms",
	"wtimeoutms", "zlibcompressionlevel", "zstdcompressionlevel"}

var (
	// schemeOf finds the beginning of an address, also of a misspelt one.
	schemeOf = regexp.MustCompile(`^\W*(?:[A-Za-z][A-Za-z0-9+.-]+:/+|mongodb(?:\+srv)?(?::|//+))`)
	// shownHost is a host with or without a port: a name, IPv6 in brackets, the path of a socket.
	shownHost  = regexp.MustCompile(`^(?:[\pL\pN._-]*|\[[0-9A-Fa-f:.]*\]|(?:%2[Ff][\w.-]+)+)(?::\d{0,5})?$`)
	shownPath  = regexp.MustCompile(`^[\pL\pN/._~-]*$`)
	shownValue = regexp.MustCompile(`^[\pL\pN/\\._~,%+-]*$`)
	shownName  = regexp.MustCompile(`^[A-Za-z][A-Za-z_]{0,39}$`)
	// addressIn finds what may be an address in a text: something with a scheme, or with a
	// password before an @, encoded or not.
	addressIn = regexp.MustCompile(`[^\s"'<>]*(?:://|:[^\s"'<>]*(?:@|%40))[^\s"'<>]*`)
	// secretIn finds values whose name says that they are secret, and access tokens.
	secretIn = regexp.MustCompile(`(?i)([\w-]*(?:password|passwd|pwd|secret|session_token|access_token|authmechanismproperties)[\w-]*=)(?:"[^"]*"|[^\s&"']+)|\b(sipas_)[a-z2-7]{20,}`)
)

// RedactURI returns an address, of a MongoDB or of a service, without what must not be
// shown: passwords, and values of parameters that are not known to be harmless. It
// hides them in a misspelt address too: one whose password was not encoded, or whose @
// was, or is missing. A folder comes back as it is.
func RedactURI(uri string) string {
	scheme := schemeOf.FindString(uri)
	rest := uri[len(scheme):]
	user, hosts, named := cutUser(rest)
	if !named && strings.Contains(rest, "%40") {
		// The @ of the address was encoded with a password, or only one inside it and there
		// is no other: what follows may be either.
		user, hosts, named = rest, "", true
	}
	if scheme == "" && !(named && strings.ContainsAny(user, ":")) {
		if _, _, asked := strings.Cut(rest, "?"); !asked {
			return uri
		}
	}
	if named {
		inside := strings.Contains(user, "?")
		if inside && (strings.Contains(user[strings.LastIndexAny(user, "?&;"):], "=") || !strings.Contains(hosts, "/")) {
			hosts = "" // the @ was in a parameter, perhaps in a password there
		}
		if end := strings.IndexAny(user, ":/?"); end >= 0 {
			user = user[:end]
		}
		if strings.Contains(strings.ToLower(scheme), "http") {
			user = hidden // which may be a token
		} else {
			user += ":" + hidden
		}
		scheme += user + "@"
	}
	hosts, query, asked := strings.Cut(hosts, "?")
	hosts = redactHosts(hosts, scheme == "")
	if !asked {
		return scheme + hosts
	}
	parameters := strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' })
	for i, p := range parameters {
		parameters[i] = redactParameter(p)
	}
	return scheme + hosts + "?" + strings.Join(parameters, "&")
}

// redactHosts shows hosts and a path, and nothing that is neither. Of a folder it shows
// everything.
func redactHosts(hosts string, folder bool) string {
	if folder {
		return hosts
	}
	authority, path, slash := strings.Cut(hosts, "/")
	for host := range strings.SplitSeq(authority, ",") {
		if shownHost.MatchString(host) {
			continue
		}
		if name, _, ok := strings.Cut(authority, ":"); ok && shownHost.MatchString(name) {
			return name + ":" + hidden // a password, and no @ behind it
		}
		return hidden
	}
	switch {
	case !slash:
		return authority
	case !shownPath.MatchString(path):
		path = hidden
	}
	return authority + "/" + path
}

func redactParameter(p string) string {
	name, value, ok := strings.Cut(p, "=")
	switch {
	case !shownName.MatchString(name) || !ok:
		return hidden
	case slices.Contains(shownParameters, strings.ToLower(name)) && shownValue.MatchString(value):
		return p
	}
	return name + "=" + hidden
}

// cutUser cuts an address behind its scheme at the @ that ends user and password. A password that was not encoded as it
// should may hold any sign, @ and ? too, so everything before the last @ is suspect, also behind what looks like the
// parameters.
func cutUser(rest string) (user, hosts string, ok bool) {
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return "", rest, false
	}
	return rest[:at], rest[at+1:], true
}

// Redact returns a text for people, or for a log, without the secrets of the addresses
// in it, without access tokens, and without values that are named as secret. It guards
// what comes from elsewhere; whoever has an address by itself gives it to [RedactURI].
func Redact(text string) string {
	if !strings.ContainsAny(text, "=@%_") && !strings.Contains(text, "://") {
		return text
	}
	text = addressIn.ReplaceAllStringFunc(text, func(address string) string {
		end := len(strings.TrimRight(address, `).,;:!`))
		start := len(address) - len(strings.TrimLeft(address, `(`))
		if start >= end {
			return address
		}
		return address[:start] + RedactURI(address[start:end]) + address[end:]
	})
	return secretIn.ReplaceAllString(text, "${1}${2}"+hidden)
}

// hideSecrets removes from a message about an address whatever RedactURI hides of it,
// in the pieces too in which a parser may quote it.
func hideSecrets(message, uri string) string {
	shown := RedactURI(uri)
	message = strings.ReplaceAll(message, uri, shown)
	_, rest, _ := strings.Cut(uri, "://")
	user, _, _ := cutUser(rest)
	_, password, _ := strings.Cut(user, ":")
	secrets := []string{password}
	if plain, err := url.QueryUnescape(password); err == nil {
		secrets = append(secrets, plain)
	}
	known := pieces(shown)
	for _, text := range []string{uri, unescaped(uri)} {
		for _, piece := range pieces(text) {
			if len(piece) > 2 && !slices.Contains(known, piece) {
				secrets = append(secrets, piece)
			}
		}
	}
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, secret := range secrets {
		if secret != "" {
			message = strings.ReplaceAll(message, secret, hidden)
		}
	}
	return message
}

// pieces cuts an address at every sign that is neither letter nor digit.
func pieces(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

// unescaped decodes what can be decoded; the rest stays.
func unescaped(s string) string {
	return regexp.MustCompile(`(?:%[0-9A-Fa-f]{2})+`).ReplaceAllStringFunc(s, func(code string) string {
		plain, err := url.PathUnescape(code)
		if err != nil {
			return code
		}
		return plain
	})
}
