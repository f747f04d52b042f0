package store

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sipas/survey"
)

// secretFile is where the root secret stands in a data folder.
const secretFile = "secret.key"

// Secret is the one root secret of an installation. Every key is derived from
// it for its own purpose, so one that leaks tells nothing about another. Every
// server on one store needs the same.
type Secret [32]byte

// ParseSecret reads 64 hexadecimal digits.
func ParseSecret(s string) (Secret, error) {
	var secret Secret
	b, err := hex.DecodeString(strings.TrimSpace(s))
	if err != nil || len(b) != len(secret) {
		return secret, errors.New("a root secret is 64 hexadecimal digits")
	}
	copy(secret[:], b)
	return secret, nil
}

// LoadSecret reads the root secret of a data folder and makes one where there
// is none yet, readable by its owner alone.
func LoadSecret(folder string) (Secret, error) {
	path := filepath.Join(folder, secretFile)
	b, err := os.ReadFile(path)
	if err == nil {
		secret, err := ParseSecret(string(b))
		if err != nil {
			return secret, fmt.Errorf("%s: %w", path, err)
		}
		return secret, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return Secret{}, fmt.Errorf("read the root secret: %w", err)
	}
	var secret Secret
	if _, err := rand.Read(secret[:]); err != nil {
		return secret, fmt.Errorf("make a root secret: %w", err)
	}
	return secret, writeSecret(path, secret)
}

// writeSecret writes the file so that after a crash it is whole or not there:
// answers sealed under half a secret could never be recognised again.
func writeSecret(path string, secret Secret) error {
	f, err := os.CreateTemp(filepath.Dir(path), secretFile+".*")
	if err != nil {
		return fmt.Errorf("write the root secret: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(hex.EncodeToString(secret[:]) + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write the root secret: %w", err)
	}
	return nil
}

// Key derives the 32-byte key for a purpose (HKDF-SHA-256, RFC 5869).
func (s Secret) Key(purpose string) []byte {
	key, err := hkdf.Key(sha256.New, s[:], nil, "sipas "+purpose, 32)
	if err != nil {
		panic(err) // only for lengths beyond HKDF's limit, and this one is fixed
	}
	return key
}

// SurveyKeys are the keys that seal responses.
func (s Secret) SurveyKeys() survey.Keys {
	return survey.Keys{Digest: s.Key("digest"), Receipt: s.Key("receipt")}
}
