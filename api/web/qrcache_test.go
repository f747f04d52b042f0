package web

import (
	"bytes"
	"fmt"
	"image/png"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skip2/go-qrcode"
)

// TestQRMadeOnce: a picture is made once, however many ask for it at once or later, and a
// browser that has it is told so. Desks and sizes have pictures of their own.
func TestQRMadeOnce(t *testing.T) {
	waits(t)
	e := start(t, options{})
	var asking sync.WaitGroup
	bodies := make([]string, 16)
	for i := range bodies {
		asking.Go(func() {
			a, err := e.send(call{path: "/qr/" + testDesk + ".png?size=2048"})
			if err != nil || a.status != http.StatusOK {
				t.Errorf("%d %v", a.status, err)
			}
			bodies[i] = a.body
		})
	}
	asking.Wait()
	for _, b := range bodies {
		if b != bodies[0] {
			t.Error("two pictures of one desk differ")
		}
	}
	made := func(what string, want int64) {
		t.Helper()
		if n := e.server.codes.made.Load(); n != want {
			t.Errorf("%s: %d pictures and drawings were made in all, want %d", what, n, want)
		}
	}
	made("one picture", 2) // with the drawing that it is made from
	tag := map[string]string{}
	for _, path := range []string{"/qr/q1.png?size=2048", "/qr/Q1.svg", "/qr/Q1", "/qr/Q1.png?size=9999"} {
		a := e.do(call{path: path})
		if a.status != http.StatusOK {
			t.Errorf("%s: %d", path, a.status)
		}
		tag[path] = a.header.Get("ETag")
	}
	made("the same desk", 2)
	for path, had := range tag {
		if path == "/qr/Q1" { // a page
			continue
		}
		a := e.do(call{path: path, header: map[string]string{"If-None-Match": `W/"x", ` + had}})
		if a.status != http.StatusNotModified || a.body != "" || a.header.Get("ETag") != had || a.header.Get("Cache-Control") == "" {
			t.Errorf("%s again: %d, %d bytes, %v", path, a.status, len(a.body), a.header)
		}
	}
	e.do(call{path: "/qr/Q1.png", header: map[string]string{"If-None-Match": tag["/qr/Q1.svg"]}})
	made("another size", 3)
	other := e.do(call{path: "/qr/Q2.png?size=2048", header: map[string]string{"If-None-Match": tag["/qr/q1.png?size=2048"]}})
	made("another desk", 5)
	img, err := png.Decode(bytes.NewReader([]byte(other.body)))
	if err != nil || readQR(t, img) != publicURL+"/s/Q2" {
		t.Errorf("the other desk's picture: %d %v", other.status, err)
	}
}

// TestDrawPNG: the picture is, pixel for pixel, that of the library that made the code.
func TestDrawPNG(t *testing.T) {
	z := newDeflater()
	for _, address := range []string{"https://x.vn/s/1", publicURL + "/s/A.B-1?some=more&and=more"} {
		for _, size := range []int{1, 128, 129, 511, 1000} {
			fresh := func() *qrcode.QRCode { // each draws once
				code, err := qrcode.New(address, qrcode.High)
				if err != nil {
					t.Fatal(err)
				}
				return code
			}
			got, err := png.Decode(bytes.NewReader(drawPNG(z, fresh().Bitmap(), size)))
			if err != nil {
				t.Fatal(err)
			}
			want := fresh().Image(size)
			if got.Bounds() != want.Bounds() {
				t.Fatalf("size %d: %v, want %v", size, got.Bounds(), want.Bounds())
			}
			for y := range got.Bounds().Dy() {
				for x := range got.Bounds().Dx() {
					a, _, _, _ := got.At(x, y).RGBA()
					if b, _, _, _ := want.At(x, y).RGBA(); a != b {
						t.Fatalf("size %d: pixel %d, %d", size, x, y)
					}
				}
			}
		}
	}
}

// TestQRCrowd: neither many who ask for one large picture nor one who asks for all sizes
// of all desks makes citizens wait, or fills the memory.
func TestQRCrowd(t *testing.T) {
	e := start(t, options{})
	desks := []string{testDesk, "Q2", "C1", "N1", "X1"}
	for name, path := range map[string]func(int64) string{
		"one picture": func(int64) string { return "/qr/Q1.png?size=2048" },
		"all pictures": func(n int64) string {
			return fmt.Sprintf("/qr/%s.png?size=%d", desks[n%int64(len(desks))], qrMost-n/int64(len(desks))%(qrMost-qrLeast))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var alone, crowded []time.Duration
			var asked, sent atomic.Int64
			before := e.server.codes.made.Load()
			for range 3 {
				alone = append(alone, forms(e, 20)...)
				stop := make(chan struct{})
				var asking sync.WaitGroup
				for range 16 {
					asking.Go(func() {
						for {
							select {
							case <-stop:
								return
							default:
							}
							a, err := e.send(call{path: path(asked.Add(1))})
							if err != nil || a.status != http.StatusOK && a.status != http.StatusTooManyRequests {
								t.Errorf("a picture: %d %v", a.status, err)
								return
							}
							sent.Add(1)
						}
					})
				}
				from := sent.Load()
				e.wait(func() bool { return sent.Load() > from+16 })
				crowded = append(crowded, forms(e, 20)...)
				close(stop)
				asking.Wait()
			}
			slices.Sort(alone)
			slices.Sort(crowded)
			a, b := alone[len(alone)/2], crowded[len(crowded)/2]
			// A picture that is kept costs nearly nothing, and a new one has its turn.
			if n := e.server.codes.made.Load() - before; name == "one picture" && n > 2 || n > sent.Load()+2*int64(len(desks)) {
				t.Errorf("%d pictures were made for %d requests", n, sent.Load())
			}
			if b > a+a/2 && b-a > 5*time.Millisecond {
				t.Errorf("a form takes %v alone and %v beside pictures", a, b)
			}
			t.Logf("a form takes %v alone and %v, %.2f times, beside %d pictures, of which %d were made", a, b, float64(b)/float64(a), sent.Load(), e.server.codes.made.Load()-before)
		})
	}
	c := e.server.codes
	c.mu.Lock()
	defer c.mu.Unlock()
	held := 0
	for _, kept := range []map[qrKey]*qrPicture{c.recent, c.older} {
		for _, p := range kept {
			held += p.bytes()
		}
	}
	if held > qrKept || held == 0 {
		t.Errorf("pictures hold %d bytes", held)
	}
}

// forms opens a form so many times.
func forms(e *env, n int) []time.Duration {
	took := make([]time.Duration, n)
	for i := range took {
		began := time.Now()
		e.do(call{path: "/s/" + testDesk})
		took[i] = time.Since(began)
	}
	return took
}
