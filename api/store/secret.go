package store

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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

// ErrSecret says that a store and the root secret do not belong together.
// Under another secret no answer that comes again would be recognised, and all
// would be stored twice.
var ErrSecret = errors.New("store: wrong root secret")

// LoadSecret reads the root secret of a data folder. For a folder that holds no
// store yet it makes one, readable by its owner alone; call it before OpenFile,
// which makes the store. A store whose secret is missing gives ErrSecret.
func LoadSecret(folder string) (Secret, error) {
	path := filepath.Join(folder, secretFile)
	secret, err := readSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	switch _, err := os.Stat(filepath.Join(folder, databaseFile)); {
	case err == nil:
		return secret, fmt.Errorf("%w: %s holds a store, but its %s is missing; put that file back, or set SIPAS_SECRET to what is in it. Nothing was changed",
			ErrSecret, folder, secretFile)
	case !errors.Is(err, fs.ErrNotExist):
		return secret, fmt.Errorf("look for a store: %w", err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return secret, fmt.Errorf("make the data folder: %w", err)
	}
	if _, err := rand.Read(secret[:]); err != nil {
		return secret, fmt.Errorf("make a root secret: %w", err)
	}
	if err := writeSecret(path, secret); err != nil {
		return secret, err
	}
	return readSecret(path) // another process may have been first
}

func readSecret(path string) (Secret, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Secret{}, fmt.Errorf("read the root secret: %w", err)
	}
	secret, err := ParseSecret(string(b))
	if err != nil {
		return secret, fmt.Errorf("%s: %w", path, err)
	}
	return secret, nil
}

// writeSecret writes the file so that after a crash it is whole or not there:
// answers sealed under half a secret could never be recognised again. A file
// that is there stays.
func writeSecret(path string, secret Secret) error {
	f, err := os.CreateTemp(filepath.Dir(path), secretFile+".*")
	if err != nil {
		return fmt.Errorf("write the root secret: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(hex.EncodeToString(secret[:]) + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		// A link never replaces a file, as a rename does; not every file system has links.
		if err = os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
			err = os.Rename(f.Name(), path)
		}
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write the root secret: %w", err)
	}
	return nil
}

// The document that tells which root secret a store was made with.
const (
	setInstallation = "installation"
	secretID        = "secret"
)

type secretDocument struct {
	Fingerprint string `json:"fingerprint"`
}

// fingerprint tells a root secret from others without telling it.
func (s Secret) fingerprint() string { return hex.EncodeToString(s.Key("fingerprint")[:16]) }

// checkSecret compares the secret's fingerprint with the stored one, or stores
// it where there is none: in a new store, and in one from before fingerprints.
func checkSecret(ctx context.Context, engine Engine, secret Secret) error {
	doc, err := engine.Get(ctx, setInstallation, secretID)
	if errors.Is(err, ErrNotFound) {
		body, err := json.Marshal(secretDocument{secret.fingerprint()})
		if err != nil {
			return err
		}
		_, err = engine.Put(ctx, setInstallation, Document{ID: secretID, Body: body})
		if !errors.Is(err, ErrStale) {
			return err
		}
		doc, err = engine.Get(ctx, setInstallation, secretID) // another server was first
		if err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	return sameSecret(doc, secret)
}

// sameSecret compares the secret with the document that a store keeps of its
// own.
func sameSecret(doc Document, secret Secret) error {
	var stored secretDocument
	if err := json.Unmarshal(doc.Body, &stored); err != nil {
		return fmt.Errorf("%w: %s/%s: %w", ErrCorrupt, setInstallation, secretID, err)
	}
	if stored.Fingerprint != secret.fingerprint() {
		return fmt.Errorf("%w: the store was made with another one; put back its %s, or its SIPAS_SECRET. Nothing was changed", ErrSecret, secretFile)
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

// digestKey seals responses.
func (s Secret) digestKey() []byte { return s.Key("digest") }
