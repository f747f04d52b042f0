package store

import (
	"net/url"
	"strings"
	"testing"
	"unicode"

	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
)

func TestRedactURI(t *testing.T) {
	for uri, want := range map[string]string{
		"":                    "",
		"./sipas-data":        "./sipas-data",
		`C:\data\sipas@an`:    "C:xxxxx@an",
		"/var/lib/sipas@home": "/var/lib/sipas@home",
		"mongodb://h1:27017,h2,[2001:db8::1]:27017/sipas?replicaSet=rs0": "mongodb://h1:27017,h2,[2001:db8::1]:27017/sipas?replicaSet=rs0",
		"mongodb+srv://sipas@cluster.example.vn/?tls=true&w=majority":    "mongodb+srv://sipas:xxxxx@cluster.example.vn/?tls=true&w=majority",
		"mongodb://u:s3cr3t@h/sipas?authSource=admin&tlsCAFile=/ca.pem":  "mongodb://u:xxxxx@h/sipas?authSource=admin&tlsCAFile=/ca.pem",
		"mongodb://u:s3cr3t%40h/sipas":                                   "mongodb://u:xxxxx@",
		"mongodb://u:s3cr3t":                                             "mongodb://u:xxxxx",
		"mongodb://u:s3cr3t/sipas":                                       "mongodb://u:xxxxx",
		"mongodb://u:s3@cr3t@h/sipas":                                    "mongodb://u:xxxxx@h/sipas",
		"mongodb://u:s3?cr3t@h/sipas":                                    "mongodb://u:xxxxx@h/sipas",
		"mongodb://u:s3/cr3t@h/sipas":                                    "mongodb://u:xxxxx@h/sipas",
		"mongodb://u:s3#cr3t@h/sipas":                                    "mongodb://u:xxxxx@h/sipas",
		"mongodb://h/sipas?password=s3cr3t":                              "mongodb://h/sipas?password=xxxxx",
		"mongodb://h/sipas?pwd=s3cr3t;tls=true":                          "mongodb://h/sipas?pwd=xxxxx&tls=true",
		"mongodb://h/?pass%77ord=s3cr3t":                                 "mongodb://h/?xxxxx",
		"mongodb://h/?s3cr3t":                                            "mongodb://h/?xxxxx",
		"mongodb://h/?authMechanismProperties=AWS_SESSION_TOKEN:s3cr3t":  "mongodb://h/?authMechanismProperties=xxxxx",
		"mongodb://h/?tlsCertificateKeyFilePasword=s3cr3t":               "mongodb://h/?tlsCertificateKeyFilePasword=xxxxx",
		"mongodb://h/?proxyHost=p&proxyPassword=s3cr3t":                  "mongodb://h/?proxyHost=p&proxyPassword=xxxxx",
		"mongodb://h/?authSource=admin?password=s3cr3t":                  "mongodb://h/?authSource=xxxxx",
		"mongodb://h/?tls=true&password=s3@cr3t/x":                       "mongodb://h:xxxxx@",
		"mongodb://u:p@h/?password=s3cr3t@y/z":                           "mongodb://u:xxxxx@",
		"mongodb://h/sipas:s3cr3t":                                       "mongodb://h/xxxxx",
		"mongodb:u:s3cr3t@h/sipas":                                       "mongodb:u:xxxxx@h/sipas",
		"mongodb//u:s3cr3t@h/sipas":                                      "mongodb//u:xxxxx@h/sipas",
		"mongodb:/u:s3cr3t@h/sipas":                                      "mongodb:/u:xxxxx@h/sipas",
		"u:s3cr3t@h/sipas":                                               "u:xxxxx@h/sipas",
		"u:s3cr3t%40h/sipas":                                             "u:xxxxx@",
		`"mongodb://u:s3cr3t@h/sipas"`:                                   `"mongodb://u:xxxxx@h/xxxxx`,
		"https://khaosat.example.gov.vn/khaosat":                         "https://khaosat.example.gov.vn/khaosat",
		"https://s3cr3t@khaosat.example.gov.vn":                          "https://xxxxx@khaosat.example.gov.vn",
		"http://u:s3 cr3t@khaosat.example.gov.vn":                        "http://xxxxx@khaosat.example.gov.vn",
		"https://khaosat.example.gov.vn/signin?t=s3cr3t&lang=vi":         "https://khaosat.example.gov.vn/signin?t=xxxxx&lang=xxxxx",
	} {
		got := RedactURI(uri)
		if got != want {
			t.Errorf("%s\n  is %s\nwant %s", uri, got, want)
		}
		if again := RedactURI(got); again != got {
			t.Errorf("%s redacted again is %s", got, again)
		}
	}
}

func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"nothing to hide":      "nothing to hide",
		"12:30 an@example.org": "12:30 an@example.org",
		`open "mongodb://u:s3cr3t@h/sipas": no (mongodb+srv://u:s3cr3t@h).`:  `open "mongodb://u:xxxxx@h/sipas": no (mongodb+srv://u:xxxxx@h).`,
		"unexpected argument u:s3cr3t@h/sipas":                               "unexpected argument u:xxxxx@h/sipas",
		"unexpected argument u:s3cr3t%40h/sipas":                             "unexpected argument u:xxxxx@",
		`Get "http://u:s3cr3t@h:80/readyz?t=s3cr3t": refused`:                `Get "http://xxxxx@h:80/readyz?t=xxxxx": refused`,
		"tlsCertificateKeyFilePassword=s3cr3t was refused":                   "tlsCertificateKeyFilePassword=xxxxx was refused",
		`password="s3cr3t words", db_pwd=s3cr3t`:                             `password=xxxxx, db_pwd=xxxxx`,
		"the token sipas_abcdefghijklmnopqrstuvwxyz234567 is unknown":        "the token sipas_xxxxx is unknown",
		"see https://example.org/manual, or mongodb://h:27017/sipas":         "see https://example.org/manual, or mongodb://h:27017/sipas",
		"that is mongodb:// or mongodb+srv://, without quotes around it":     "that is mongodb:// or mongodb+srv://, without quotes around it",
		"begins with https:// or http:// and a host":                         "begins with https:// or http:// and a host",
		"store: MongoDB at mongodb://u:xxxxx@h/sipas cannot be reached":      "store: MongoDB at mongodb://u:xxxxx@h/sipas cannot be reached",
		"a=b, c%d and e_f stay, and so does sipas_data":                      "a=b, c%d and e_f stay, and so does sipas_data",
		`level=WARN uri="mongodb://h/?authMechanismProperties=A:s3cr3t&w=1"`: `level=WARN uri="mongodb://h/?authMechanismProperties=xxxxx&w=1"`,
	} {
		if got := Redact(text); got != want {
			t.Errorf("%s\n  is %s\nwant %s", text, got, want)
		}
	}
}

// FuzzRedact: a password never comes out, wherever it stands in an address and whatever
// signs it has, nor in what the driver says of that address.
func FuzzRedact(f *testing.F) {
	for _, middle := range []string{"", "@", "/", "?", ":", "#", "&x=", "=", ";", "%40", "%", "?a=", "/?", "@?", " ", "\"", "ă", "\\", ",", "[", "%2F", "://"} {
		f.Add(middle)
	}
	forms := []string{
		"mongodb://u:*@h/sipas?authSource=admin", "mongodb+srv://u:*@h.example.vn/", "mongodb://u:*%40h/sipas", "mongodb://u:*", "u:*@h/sipas",
		"mongodb//u:*@h", "mongodb://h/sipas?password=*", "mongodb://h/?pwd=*&tls=true", "mongodb://h/?authMechanismProperties=AWS_SESSION_TOKEN:*",
		"mongodb://h/?tls=true&tlsCertificateKeyFilePassword=*", "mongodb://h/?proxyHost=h&proxyPassword=*", "https://u:*@h.example.vn/p", "https://*@h.example.vn",
		"mongodb://u:p@h/?password=*&replicaSet=rs0",
	}
	f.Fuzz(func(t *testing.T, middle string) {
		const begin, end = "Wq7begin", "endZk3"
		leaks := func(said string) bool { return strings.Contains(said, begin) || strings.Contains(said, end) }
		for _, secret := range []string{begin + middle + end, url.QueryEscape(begin + middle + end)} {
			for _, form := range forms {
				uri := strings.ReplaceAll(form, "*", secret)
				if form == "mongodb://u:*" && strings.Contains(secret, "@") {
					continue // what follows the @ is a host for whoever reads it
				}
				if got := RedactURI(uri); leaks(got) {
					t.Errorf("%q is shown as %q", uri, got)
				}
				if strings.Contains(uri, "+srv") {
					// the driver would ask the network for it
				} else if _, err := connstring.ParseAndValidate(uri); err != nil {
					if got := hideSecrets(err.Error(), uri); leaks(got) {
						t.Errorf("of %q it is said: %s", uri, got)
					}
				}
				// In a text nobody knows where an address with spaces, quotes or brackets ends.
				if strings.ContainsFunc(secret, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`"'<>`, r) }) {
					continue
				}
				if got := Redact("cannot open " + uri + " now"); leaks(got) {
					t.Errorf("in a text %q is %q", uri, got)
				}
			}
		}
	})
}
