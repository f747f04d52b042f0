package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
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
	// RightTablet is that of a paired tablet, by its own key; no token can have it.
	RightTablet Right = "tablet"
)

// Rights lists all rights that a token can have.
var Rights = []Right{RightSubmit, RightImport, RightExport, RightReport, RightFull, RightStaff, RightBackup, RightRestore}

// Token is a credential of a person or a program, named by whoever made it. The
// store keeps its SHA-256 only.
type Token struct {
	Name    string    `json:"name"`
	Hash    string    `json:"hash"`
	Rights  []Right   `json:"rights"`
	Created time.Time `json:"created"`
}

// Allows reports whether the token has a right.
func (t Token) Allows(r Right) bool { return r == RightNone || slices.Contains(t.Rights, r) }

var tokenName = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{M}\p{N} ,._@()-]{0,99}$`)

// CreateToken makes a token and returns its text, which is shown once and kept
// nowhere. A name that is taken gives ErrStale.
func (s *Store) CreateToken(ctx context.Context, name string, rights []Right, now time.Time) (string, error) {
	if !tokenName.MatchString(name) {
		return "", errors.New("a token's name has 1 to 100 letters, digits, spaces or ,._@()-")
	}
	if len(rights) == 0 {
		return "", errors.New("a token needs at least one right")
	}
	for _, r := range rights {
		if !slices.Contains(Rights, r) {
			return "", fmt.Errorf("there is no right %q; the rights are %v", r, Rights)
		}
	}
	var random [20]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	text := "sipas_" + strings.ToLower(base32.StdEncoding.EncodeToString(random[:]))
	body, err := json.Marshal(Token{Name: name, Hash: hashToken(text), Rights: rights, Created: now.UTC().Truncate(time.Second)})
	if err != nil {
		return "", err
	}
	if _, err := s.engine.Put(ctx, setTokens, Document{ID: name, Body: body}); err != nil {
		return "", fmt.Errorf("store token %q: %w", name, err)
	}
	return text, s.Refresh(ctx)
}

// RevokeToken deletes a token; it is refused everywhere within two seconds.
func (s *Store) RevokeToken(ctx context.Context, name string) error {
	doc, err := s.engine.Get(ctx, setTokens, name)
	if err != nil {
		return err
	}
	if err := s.engine.Delete(ctx, setTokens, name, doc.Revision); err != nil {
		return err
	}
	return s.Refresh(ctx)
}

// Token finds a token by its text.
func (v *View) Token(text string) (Token, bool) { return v.TokenByHash(hashToken(text)) }

// TokenByHash finds a token by its hash, as a signed-in reader's cookie carries
// it.
func (v *View) TokenByHash(hash string) (Token, bool) {
	t, ok := v.tokens[hash]
	return t, ok
}

// Tokens lists all tokens by name.
func (v *View) Tokens() []Token {
	return slices.SortedFunc(maps.Values(v.tokens), func(a, b Token) int { return strings.Compare(a.Name, b.Name) })
}

// hashToken needs no salt and no slow function: a token has 160 random bits.
func hashToken(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
