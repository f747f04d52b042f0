package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// HasFile reports whether a folder holds a file store, which [OpenFile] would
// otherwise make.
func HasFile(folder string) (bool, error) {
	_, err := os.Stat(filepath.Join(folder, databaseFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// FindSecret reads the root secret of a folder without making one, as
// [LoadSecret] does; ok is false when there is none.
func FindSecret(folder string) (secret Secret, ok bool, err error) {
	secret, err = readSecret(filepath.Join(folder, secretFile))
	if errors.Is(err, fs.ErrNotExist) {
		return secret, false, nil
	}
	return secret, err == nil, err
}

// KeepSecret writes the root secret into a folder, readable by its owner alone,
// so that the store in it is complete by itself. Another one that is there
// already gives ErrSecret.
func KeepSecret(folder string, secret Secret) error {
	stands, ok, err := FindSecret(folder)
	if err == nil && !ok {
		if err = writeSecret(filepath.Join(folder, secretFile), secret); err == nil {
			stands, err = readSecret(filepath.Join(folder, secretFile))
		}
	}
	if err == nil && stands != secret {
		err = fmt.Errorf("%w: %s in %s is another one", ErrSecret, secretFile, folder)
	}
	return err
}
