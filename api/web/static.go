package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"mime"
	"path"
	"strings"

	"github.com/gofiber/fiber/v2"
)

//go:embed static
var staticFiles embed.FS

//go:embed openapi.yaml
var openAPIFile []byte

// inlineStyle is the sheet that stands inside every page, so that the first
// view of a form is one request.
const inlineStyle = "style.css"

// assets are the embedded files under addresses that change with their content,
// so that browsers may keep them for ever.
type assets struct {
	style     string
	styleHash string
	// byAddress: file name with the hash in it → content.
	byAddress map[string][]byte
	// addresses: plain file name → path with the hash in it.
	addresses map[string]string
}

// loadAssets reads the embedded files, whose addresses begin with prefix; one that is
// missing is a fault of the build.
func loadAssets(prefix string) *assets {
	a := &assets{byAddress: map[string][]byte{}, addresses: map[string]string{}}
	entries, err := staticFiles.ReadDir("static")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		b, err := staticFiles.ReadFile(path.Join("static", e.Name()))
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(b)
		if e.Name() == inlineStyle {
			a.style = string(b)
			a.styleHash = "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
			continue
		}
		ext := path.Ext(e.Name())
		hashed := strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		a.byAddress[hashed] = b
		a.addresses[e.Name()] = prefix + "/static/" + hashed
	}
	return a
}

func (s *Server) staticFile(r *request) error {
	name := r.Params("file")
	b, ok := s.assets.byAddress[name]
	if !ok {
		return fail(codeNotFound)
	}
	r.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	r.sendCompressed(fiber.StatusOK, mime.TypeByExtension(path.Ext(name)), b)
	return nil
}

func (s *Server) openAPI(r *request) error {
	served := bytes.Replace(openAPIFile, []byte("- url: /\n"), []byte("- url: "+s.href("/")+"\n"), 1)
	r.sendCompressed(fiber.StatusOK, "application/yaml; charset=utf-8", served)
	return nil
}
