package kiosk

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"sipas/survey"
)

// vectors are the test vectors of PROTOCOL.md: its text, and the blocks in it.
func vectors(t *testing.T) (text string, blocks []string) {
	t.Helper()
	file, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(file), "\n## Test vectors\n")
	parts := strings.Split(text, "```\n")
	if !found || len(parts) != 17 {
		t.Fatalf("%d parts", len(parts))
	}
	for i := 1; i < len(parts); i += 2 {
		blocks = append(blocks, strings.TrimSuffix(parts[i], "\n"))
	}
	return text, blocks
}

// named reads lines of names and values; a value may go on in the next line.
func named(block string) map[string]string {
	values, name := map[string]string{}, ""
	for line := range strings.Lines(block) {
		if parts := regexp.MustCompile(` {2,}`).Split(strings.TrimSpace(line), -1); line[0] == ' ' {
			values[name] += parts[0]
		} else if len(parts) > 1 {
			name = parts[0]
			values[name] = parts[1]
		}
	}
	return values
}

// TestProtocol: what PROTOCOL.md gives to who writes another client is what the service
// does.
func TestProtocol(t *testing.T) {
	text, blocks := vectors(t)
	same := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s, PROTOCOL.md has %s", what, got, want)
		}
	}
	unhex := func(text string) []byte {
		t.Helper()
		b, err := hex.DecodeString(text)
		if err != nil || len(b) == 0 {
			t.Fatalf("%q: %v", text, err)
		}
		return b
	}
	keys, item, proofs := named(blocks[0]), blocks[1], named(blocks[3])

	same("bearer", base64.RawURLEncoding.EncodeToString(unhex(keys["key"])), keys["bearer (base64url)"])
	hash, ok := ReadKey(keys["bearer (base64url)"])
	if same("key hash", hex.EncodeToString(hash), keys["key hash"]); !ok {
		t.Fatal("no key")
	}
	key, err := NewSealKey(unhex(keys["secret s"]))
	if err != nil {
		t.Fatal(err)
	}
	private, err := key.private.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	same("private key", hex.EncodeToString(private), keys["private key"])
	same("public key", hex.EncodeToString(key.Public()), keys["public key"])
	same("public key", base64.StdEncoding.EncodeToString(key.Public()), keys["public (base64)"])

	sealed, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(blocks[2], "\n", ""))
	if err != nil || len(sealed) != 401 {
		t.Fatalf("%d bytes, %v", len(sealed), err)
	}
	opened, err := key.open(sealAnswer, sealed)
	if same("opened", string(opened), item); err != nil {
		t.Error(err)
	}
	same("digest", Digest(sealed), proofs["digest"])
	for _, outcome := range []Outcome{Stored, Withdrawn, Quarantined} {
		same(string(outcome), Receipt(hash, Digest(sealed), outcome), proofs[`receipt "`+string(outcome)+`"`])
	}

	var said Item
	if err := json.Unmarshal([]byte(item), &said); err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile("`([0-9A-Z]{4}(-[0-9A-Z]{4}){3})`").FindStringSubmatch(text)
	receipt, err := survey.ReceiptHash(code[1])
	if same("receipt", hex.EncodeToString(receipt), said.Receipt); err != nil {
		t.Error(err)
	}
	given := time.Date(2026, 11, 28, 3, 25, 10, 0, time.UTC)
	id, err := survey.NewID(given, bytes.NewReader(unhex("66778899aabbccddeeff")))
	if same("id", id.String(), said.ID); err != nil {
		t.Error(err)
	}
	drawn, err := strconv.ParseFloat(regexp.MustCompile(`is (0\.\d+) \(SHA-256`).FindStringSubmatch(text)[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	in := &survey.Instrument{Modules: []survey.Module{{ID: "first", Probability: drawn}, {ID: "second", Probability: 1 - drawn}}}
	same("not below the number of the draw", in.DrawModule(said.Round, id).ID, "second")
	in.Modules[0].Probability = math.Nextafter(drawn, 1)
	same("below the next number", in.DrawModule(said.Round, id).ID, "first")

	nonce := regexp.MustCompile("Nonce `(.*?)`").FindStringSubmatch(text)[1]
	same("signed answer", "mac  "+SignAnswer(hash, nonce, []byte(blocks[4])), blocks[5])
	written := strings.Replace(blocks[6], "<sealed>", base64.StdEncoding.EncodeToString(sealed), 1)
	same("export", "mac  "+signExport(hash, written), blocks[7])

	for _, network := range []bool{false, true} {
		b, err := ReadBatch([]byte(written), MaxExport)
		if err != nil {
			t.Fatal(err)
		}
		now, want := time.UnixMilli(1795836311000), given
		if network {
			b.Arrives(now)
			want = want.Add(500 * time.Millisecond)
		}
		a := b.Open(key, given.AddDate(-1, 0, 0), now)[0]
		if a.Err != nil || !a.At.Equal(want) || a.Unsure == network || a.Digest != proofs["digest"] {
			t.Errorf("network %v: %v, unsure %v, want %v; %v", network, a.At, a.Unsure, want, a.Err)
		}
	}
}
