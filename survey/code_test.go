package survey

import (
	"strings"
	"testing"

	"bytes"
)

func TestReceipt(t *testing.T) {
	id, err := NewID(noon, bytes.NewReader(bytes.Repeat([]byte{9}, 16)))
	if err != nil {
		t.Fatal(err)
	}
	receipt := Receipt([]byte("key"), id, []byte("nonce"))
	if receipt == Receipt([]byte("key"), id, []byte("other")) || receipt == Receipt([]byte("key"), id, nil) {
		t.Error("whoever has the key and the id knows the code")
	}
	if len(receipt) != 19 || strings.Count(receipt, "-") != 3 {
		t.Fatalf("receipt %q is not four groups of four", receipt)
	}
	want, err := ReceiptHash(receipt)
	if err != nil {
		t.Fatal(err)
	}
	typed := strings.ToLower(strings.ReplaceAll(strings.NewReplacer("0", "o", "1", "l").Replace(receipt), "-", " "))
	if got, err := ReceiptHash(typed); err != nil || !bytes.Equal(got, want) {
		t.Errorf("as people type it, %q: %x, %v", typed, got, err)
	}
	plain := strings.ReplaceAll(receipt, "-", "")
	for i := range plain {
		for _, c := range codeAlphabet {
			if wrong := plain[:i] + string(c) + plain[i+1:]; wrong != plain {
				if _, err := ReceiptHash(wrong); err == nil {
					t.Fatalf("one wrong character was not noticed: %s for %s", wrong, plain)
				}
			}
		}
	}
	for _, wrong := range []string{"", "x", receipt + "0", strings.Repeat("0", 1000), "ÀÀÀÀ-ÀÀÀÀ-ÀÀÀÀ-ÀÀÀÀ"} {
		if _, err := ReceiptHash(wrong); err == nil {
			t.Errorf("%.20q was taken for a receipt", wrong)
		}
	}
}

func TestDeskCode(t *testing.T) {
	code := DeskCode("u1/1")
	if code != DeskCode("u1/1") || code == DeskCode("u1/2") {
		t.Error("a desk code is a function of its seed")
	}
	if !deskPattern.MatchString(code) || len(code) != 6 {
		t.Errorf("desk code %q", code)
	}
	for typed, want := range map[string]string{
		strings.ToLower(code):           code,
		" " + code[:3] + "-" + code[3:]: code,
		"u01-land-c03":                  "U01-LAND-C03",
		"":                              "",
	} {
		if got := NormaliseDeskCode(typed); got != want {
			t.Errorf("NormaliseDeskCode(%q) = %q, want %q", typed, got, want)
		}
	}
}

func FuzzReceiptHash(f *testing.F) {
	f.Add("0123-4567-89AB-CDEF")
	f.Fuzz(func(t *testing.T, s string) {
		if hash, err := ReceiptHash(s); err == nil && len(hash) != 32 {
			t.Fatalf("hash of %q has %d bytes", s, len(hash))
		}
		NormaliseDeskCode(s)
	})
}
