package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sipas/survey"
)

// Right is what a token allows. The route table gives every route one.
type Right string

// The rights.
const (
	// RightNone is for routes that everybody may call.
	RightNone Right = ""
	// RightSubmit: hand in single answers as a known client.
	RightSubmit Right = "submit"
	// RightImport: hand in many answers, with their date and channel.
	RightImport Right = "import"
	// RightExport: read the answers themselves.
	RightExport Right = "export"
	// RightReport: read published pictures.
	RightReport Right = "report"
	// RightFull: read exact live figures.
	RightFull Right = "full"
	// RightStaff: read and change staff documents.
	RightStaff Right = "staff"
	// RightBackup: read everything there is, in a form that only a restore can use.
	RightBackup Right = "backup"
	// RightRestore: write what a backup of this installation holds, tokens included.
	RightRestore Right = "restore"
	// RightTokens: make, list and revoke tokens.
	RightTokens Right = "tokens"
	// RightTablet is that of a paired tablet, by its own key; no token can have it.
	RightTablet Right = "tablet"
)

// Rights lists all rights that a token can have.
var Rights = []Right{RightSubmit, RightImport, RightExport, RightReport, RightFull, RightStaff, RightBackup, RightRestore, RightTokens}

// MaxTokens bounds how many tokens a store has, expired ones too.
const MaxTokens = 1000

// Token is a credential of a person or a program, named by whoever made it. The
// store keeps its SHA-256 only.
type Token struct {
	Name    string    `json:"name"`
	Hash    string    `json:"hash"`
	Rights  []Right   `json:"rights"`
	Created time.Time `json:"created"`
	// Expires is when it is not taken any more. It is nil for one from before tokens
	// expired, which goes on until it is revoked.
	Expires *time.Time `json:"expires,omitempty"`
	// By is the name of the token that made it, "" where the store itself was opened.
	By string `json:"by,omitempty"`
}

// Allows reports whether the token has a right.
func (t Token) Allows(r Right) bool { return r == RightNone || slices.Contains(t.Rights, r) }

// Expired reports whether its time is over at a moment; at Expires itself it is.
func (t Token) Expired(now time.Time) bool { return t.Expires != nil && !now.Before(*t.Expires) }

// Beyond lists those of some rights that the token does not have.
func (t Token) Beyond(rights []Right) []Right {
	return slices.DeleteFunc(slices.Clone(Rights), func(r Right) bool { return !slices.Contains(rights, r) || t.Allows(r) })
}

var (
	tokenName = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{M}\p{N} ,._@()-]{0,99}$`)
	days      = regexp.MustCompile(`^([0-9]{1,4})d$`)
)

// ParseExpiry reads when a token is to expire: "90d", the last day on which it is taken
// ("2027-06-30", in Vietnam), or "" for a year, which is the longest. A [*survey.Error]
// for the field "expires" where it cannot be.
func ParseExpiry(text string, now time.Time) (time.Time, error) {
	now = now.UTC().Truncate(time.Second)
	longest := now.AddDate(1, 0, 0)
	at := longest
	if m := days.FindStringSubmatch(text); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return at, err
		}
		at = now.AddDate(0, 0, n)
	} else if text != "" {
		day, err := time.ParseInLocation(time.DateOnly, text, survey.VietnamTime())
		if err != nil {
			return at, invalidToken("expires", "it is a number of days (90d) or a date (2027-06-30)")
		}
		if at = day.AddDate(0, 0, 1).UTC(); day.Before(longest) && at.After(longest) {
			at = longest
		}
	}
	if !at.After(now) || at.After(longest) {
		return at, invalidToken("expires", "it is in the future, and within a year")
	}
	return at, nil
}

func invalidToken(field, detail string) error {
	return &survey.Error{Fields: []survey.FieldError{{Field: field, Code: survey.CodeInvalid, Detail: detail}}}
}

// TokenOrder says what token is wanted.
type TokenOrder struct {
	Name   string  `json:"name"`
	Rights []Right `json:"rights"`
	// Expires is as [ParseExpiry] reads it.
	Expires string `json:"expires"`
	// By is the name of the token that orders it; the caller has seen to its rights.
	By string `json:"-"`
}

// CreateToken is [Store.IssueToken] for a token of a year.
func (s *Store) CreateToken(ctx context.Context, name string, rights []Right, now time.Time) (string, error) {
	text, _, err := s.IssueToken(ctx, TokenOrder{Name: name, Rights: rights}, now)
	return text, err
}

// IssueToken makes a token and returns its text, which is shown once and kept
// nowhere. A name that is taken gives ErrStale, an order that cannot be a
// [*survey.Error].
func (s *Store) IssueToken(ctx context.Context, order TokenOrder, now time.Time) (string, Token, error) {
	t := Token{Name: order.Name, By: order.By, Created: now.UTC().Truncate(time.Second)}
	for _, r := range order.Rights {
		if !slices.Contains(Rights, r) {
			return "", t, invalidToken("rights", fmt.Sprintf("there is no right %.40q; the rights are %v", string(r), Rights))
		}
	}
	t.Rights = slices.DeleteFunc(slices.Clone(Rights), func(r Right) bool { return !slices.Contains(order.Rights, r) })
	expires, err := ParseExpiry(order.Expires, now)
	switch {
	case err != nil:
		return "", t, err
	case !tokenName.MatchString(t.Name):
		return "", t, invalidToken("name", "a token's name has 1 to 100 letters, digits, spaces or ,._@()-")
	case len(t.Rights) == 0:
		return "", t, invalidToken("rights", "a token needs at least one right")
	case len(s.View().tokens) >= MaxTokens:
		return "", t, invalidToken("tokens", fmt.Sprintf("there are %d tokens, which is the most there can be: revoke some that are not used", MaxTokens))
	}
	t.Expires = &expires
	var random [20]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", t, fmt.Errorf("make a token: %w", err)
	}
	text := "sipas_" + strings.ToLower(base32.StdEncoding.EncodeToString(random[:]))
	t.Hash = hashToken(text)
	body, err := json.Marshal(t)
	if err != nil {
		return "", t, err
	}
	if _, err := s.engine.Put(ctx, setTokens, Document{ID: t.Name, Body: body}); err != nil {
		return "", t, fmt.Errorf("store token %q: %w", t.Name, err)
	}
	return text, t, s.Refresh(ctx)
}

// RevokeToken deletes a token; it is refused everywhere within two seconds.
// ErrNotFound for an unknown name.
func (s *Store) RevokeToken(ctx context.Context, name string) error {
	if !tokenName.MatchString(name) {
		return ErrNotFound
	}
	doc, err := s.engine.Get(ctx, setTokens, name)
	if err != nil {
		return err
	}
	if err := s.engine.Delete(ctx, setTokens, name, doc.Revision); err != nil {
		return err
	}
	return s.Refresh(ctx)
}

// Token finds a token by its text. One that has expired is not found.
func (v *View) Token(text string, now time.Time) (Token, bool) {
	return v.TokenByHash(hashToken(text), now)
}

// TokenByHash finds a token by its hash, as a signed-in reader's cookie carries
// it. One that has expired is not found.
func (v *View) TokenByHash(hash string, now time.Time) (Token, bool) {
	t, ok := v.tokens[hash]
	if !ok || t.Expired(now) {
		return Token{}, false
	}
	return t, true
}

// Tokens lists all tokens by name, expired ones too.
func (v *View) Tokens() []Token {
	return slices.SortedFunc(maps.Values(v.tokens), func(a, b Token) int { return strings.Compare(a.Name, b.Name) })
}

// hashToken needs no salt and no slow function: a token has 160 random bits.
func hashToken(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Unlimited lists the names of tokens that never expire: they are from before tokens
// did.
func (v *View) Unlimited() []string {
	var names []string
	for _, t := range v.Tokens() {
		if t.Expires == nil {
			names = append(names, t.Name)
		}
	}
	return names
}
