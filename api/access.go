package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"golang.org/x/term"
)

// longestToken bounds what is read from a file or a terminal.
const longestToken = 256

// token finds the access token for --url: the one given, that of a file, or what a
// terminal answers.
func (f serviceFlags) token(say io.Writer) (string, error) {
	switch {
	case f.AccessToken != "" && f.TokenFile != "":
		return "", errors.New("there are two access tokens, SIPAS_TOKEN (--token) and SIPAS_TOKEN_FILE (--token-file): leave one out")
	case f.AccessToken != "":
		return cleanToken(f.AccessToken)
	case f.TokenFile != "":
		return readToken(f.TokenFile)
	case term.IsTerminal(int(os.Stdin.Fd())) && isTerminal(say):
		return askToken(say)
	}
	return "", errors.New("--url needs an access token: SIPAS_TOKEN, or SIPAS_TOKEN_FILE (--token-file) with a file that you alone can read")
}

// readToken reads a file that holds a token and nothing else. One that others can read
// is refused, because it is too late to trust what is in it.
func readToken(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the access token: %w", err)
	}
	defer file.Close() // it was only read
	info, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("read the access token: %w", err)
	}
	// Windows has other rights, which these bits do not tell.
	if open := info.Mode().Perm() & 0o077; open != 0 && info.Mode().IsRegular() && runtime.GOOS != "windows" {
		return "", fmt.Errorf("others can read the access token in %s (mode %04o): run chmod 600 on it, or better revoke the token and make another", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(file, longestToken+1))
	if err != nil {
		return "", fmt.Errorf("read the access token: %w", err)
	}
	token, err := cleanToken(string(text))
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return token, nil
}

// askToken asks a terminal, which does not show what is typed.
func askToken(say io.Writer) (string, error) {
	if _, err := fmt.Fprint(say, "Access token (not shown): "); err != nil {
		return "", err
	}
	text, err := term.ReadPassword(int(os.Stdin.Fd()))
	// Whoever typed the token sees the next line begin, whatever became of it.
	_, _ = fmt.Fprintln(say)
	if err != nil {
		return "", fmt.Errorf("ask for the access token: %w", err)
	}
	return cleanToken(string(text))
}

// cleanToken takes white space off a token's ends, and refuses what is none.
func cleanToken(text string) (string, error) {
	token := strings.TrimSpace(text)
	visible := func(r rune) bool { return r > ' ' && r < 0x7f }
	if token == "" || len(token) > longestToken || strings.ContainsFunc(token, func(r rune) bool { return !visible(r) }) {
		return "", errors.New("that is no access token: one begins with sipas_ and has neither spaces nor lines")
	}
	return token, nil
}
