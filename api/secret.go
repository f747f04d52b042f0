package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"sipas/api/store"
)

type secretCommand struct{}

// Run prints a new root secret, for SIPAS_SECRET of a new installation. It is
// kept nowhere.
func (secretCommand) Run(t *terminal) error {
	var secret store.Secret
	if _, err := rand.Read(secret[:]); err != nil {
		return err
	}
	_, err := fmt.Fprintln(t.stdout, hex.EncodeToString(secret[:]))
	return err
}
