package web

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// readQR decodes the picture of a desk's code as a phone does.
func readQR(t testing.TB, img image.Image) string {
	t.Helper()
	text, level := decodeQR(t, img)
	if level != "Q" {
		t.Errorf("error correction level %v, want Q", level)
	}
	return text
}

func decodeQR(t testing.TB, img image.Image) (text string, level any) {
	t.Helper()
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
	if err != nil {
		t.Fatal(err)
	}
	return result.GetText(), result.GetResultMetadata()[gozxing.ResultMetadataType_ERROR_CORRECTION_LEVEL]
}

// drawSVG paints the one path that the service draws: runs of modules, each
// "Mx yhNv1h-Nz".
func drawSVG(t testing.TB, svg string) image.Image {
	t.Helper()
	var doc struct {
		ViewBox string `xml:"viewBox,attr"`
		Paths   []struct {
			Fill string `xml:"fill,attr"`
			D    string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal([]byte(svg), &doc); err != nil {
		t.Fatal(err)
	}
	var size int
	if _, err := fmt.Sscanf(doc.ViewBox, "0 0 %d", &size); err != nil || len(doc.Paths) != 2 {
		t.Fatal(err, len(doc.Paths))
	}
	const scale = 8
	img := image.NewGray(image.Rect(0, 0, size*scale, size*scale))
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	for run := range strings.SplitSeq(strings.TrimPrefix(doc.Paths[1].D, "M"), "M") {
		var x, y, n int
		if _, err := fmt.Sscanf(run, "%d %dh%dv1h", &x, &y, &n); err != nil {
			t.Fatal(run, err)
		}
		draw.Draw(img, image.Rect(x*scale, y*scale, (x+n)*scale, (y+1)*scale), image.NewUniform(color.Black), image.Point{}, draw.Src)
	}
	for i := range size * scale {
		for margin := range 4 * scale {
			if img.GrayAt(i, margin).Y == 0 || img.GrayAt(margin, i).Y == 0 {
				t.Fatal("the quiet zone is narrower than four modules")
			}
		}
	}
	return img
}

// TestQR: both pictures lead to the desk's form at the public address, whatever
// host a request names.
func TestQR(t *testing.T) {
	waits(t)
	e := start(t, options{})
	want := publicURL + "/s/" + testDesk
	for _, host := range []string{"", otherHost} {
		for _, size := range []string{"", "?size=128", "?size=700", "?size=0", "?size=999999", "?size=x"} {
			a := e.do(call{path: "/qr/q1.png" + size, host: host, header: map[string]string{"X-Forwarded-Host": otherHost, "X-Forwarded-Proto": "http"}})
			img, err := png.Decode(bytes.NewReader([]byte(a.body)))
			if err != nil {
				t.Fatal(a.status, err)
			}
			if w := img.Bounds().Dx(); w < qrLeast || w > qrMost {
				t.Errorf("%s: %d pixels wide", size, w)
			}
			if got := readQR(t, img); got != want {
				t.Errorf("png%s leads to %q", size, got)
			}
		}
		a := e.do(call{path: "/qr/" + testDesk + ".svg", host: host})
		if got := readQR(t, drawSVG(t, a.body)); got != want {
			t.Errorf("svg leads to %q", got)
		}
		sheet := e.do(call{path: "/qr/" + testDesk, host: host})
		if sheet.status != http.StatusOK || strings.Contains(sheet.body, otherHost) || !strings.Contains(sheet.body, want) {
			t.Errorf("the sheet: %d", sheet.status)
		}
	}
	for _, path := range []string{"/qr/NOPE.png", "/qr/NOPE.svg", "/qr/NOPE", "/qr/.png"} {
		if a := e.do(call{path: path}); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

// TestQRDottedCode: a code that an office chose may hold a dot.
func TestQRDottedCode(t *testing.T) {
	waits(t)
	docs := testDocuments(t)
	docs.Desks[0].ID = "A.B-1"
	e := start(t, options{docs: &docs})
	for _, path := range []string{"/qr/A.B-1.png", "/qr/A.B-1.svg", "/qr/A.B-1", "/s/A.B-1"} {
		if a := e.do(call{path: path}); a.status != http.StatusOK {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}
