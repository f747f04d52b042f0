package web

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skip2/go-qrcode"
	"golang.org/x/sync/singleflight"
)

const (
	// qrKept bounds the memory of pictures, in bytes: a thousand desks with a drawing and a
	// poster each fit.
	qrKept = 16 << 20
	// qrQueue is how many may wait for pictures that are not kept yet; others come again.
	qrQueue = 64
	// qrRest is how many times as long as it took to make one the next one waits, so that
	// whoever asks for every size of every desk takes an eighth of one processor from forms.
	qrRest = 7
	// qrAtOnce pictures are sent in any qrPause: enough for a page that shows a hundred, and
	// no more than forms can bear.
	qrAtOnce, qrPause = 4, 10 * time.Millisecond
)

// qrKey names a picture by all that it depends on: the address in it and the pixels a side
// of a PNG, 0 for the drawing. Another public URL or desk makes another key.
type qrKey struct {
	address string
	size    int
}

// tag is the ETag of a picture.
func (k qrKey) tag() string {
	sum := sha256.Sum256(fmt.Append(nil, k.size, " ", k.address))
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// qrPicture is a code that is ready to be sent: as PNG, or as modules and their path.
type qrPicture struct {
	png     []byte
	modules [][]bool
	path    string
}

// bytes is about what a picture takes of the memory.
func (p *qrPicture) bytes() int {
	return 256 + len(p.png) + len(p.path) + len(p.modules)*(len(p.modules)+24)
}

// codes keeps pictures of QR codes, which are dear to make, and makes one at a time.
type codes struct {
	flight singleflight.Group
	// maker holds a token while a picture is made, and for the rest after it.
	maker chan struct{}
	z     *zlib.Writer // of who has the token
	// pace holds a token for each picture sent within the last qrPause.
	pace chan struct{}
	// queued counts who waits, made what was made.
	queued, made atomic.Int64

	mu sync.Mutex
	// recent is what was asked for lately, older what was before that.
	recent, older map[qrKey]*qrPicture
	held          int // by recent, in bytes
}

func newCodes() *codes {
	return &codes{maker: make(chan struct{}, 1), pace: make(chan struct{}, qrAtOnce), z: newDeflater()}
}

// newDeflater makes what compresses a PNG. It is large: one serves for all.
func newDeflater() *zlib.Writer {
	z, err := zlib.NewWriterLevel(nil, zlib.BestSpeed)
	if err != nil {
		panic(err) // there is such a level
	}
	return z
}

// wait returns when a picture may be sent.
func (c *codes) wait(ctx context.Context) error {
	select {
	case c.pace <- struct{}{}:
		time.AfterFunc(qrPause, func() { <-c.pace })
		return nil
	case <-ctx.Done():
		return fail(codeTooManyRequests)
	}
}

// get finds a picture or makes it, once for all who ask meanwhile. Where many wait it
// fails with too_many_requests.
func (c *codes) get(ctx context.Context, k qrKey) (*qrPicture, error) {
	if p := c.find(k); p != nil {
		return p, nil
	}
	if c.queued.Add(1) > qrQueue {
		c.queued.Add(-1)
		return nil, fail(codeTooManyRequests)
	}
	defer c.queued.Add(-1)
	result := c.flight.DoChan(fmt.Sprint(k.size, " ", k.address), func() (any, error) {
		c.maker <- struct{}{} // for a moment only: every maker before rests a moment
		began := time.Now()
		defer func() {
			time.AfterFunc(qrRest*time.Since(began), func() { <-c.maker })
		}()
		if p := c.find(k); p != nil { // made since
			return p, nil
		}
		return c.make(k)
	})
	select {
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*qrPicture), nil
	case <-ctx.Done():
		return nil, fail(codeTooManyRequests)
	}
}

// find returns a picture that is kept, else nil.
func (c *codes) find(k qrKey) *qrPicture {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.recent[k]; p != nil {
		return p
	}
	p := c.older[k]
	if p != nil {
		delete(c.older, k)
		c.keep(k, p)
	}
	return p
}

// keep keeps a picture among the recent ones; when those have half of the memory, they
// are the older ones, and what was older goes.
func (c *codes) keep(k qrKey, p *qrPicture) {
	if c.held += p.bytes(); c.recent == nil || c.held > qrKept/2 {
		c.older, c.recent, c.held = c.recent, map[qrKey]*qrPicture{}, p.bytes()
	}
	c.recent[k] = p
}

// make makes a picture: a quarter of the code may be dirty or torn (level "Q", here called
// High), and four modules stay white around it.
func (c *codes) make(k qrKey) (*qrPicture, error) {
	vector := qrKey{address: k.address}
	p := c.find(vector)
	if p == nil {
		code, err := qrcode.New(k.address, qrcode.High)
		if err != nil {
			return nil, err
		}
		modules := code.Bitmap()
		p = &qrPicture{modules: modules, path: qrPath(modules)}
		c.add(vector, p)
	}
	if k.size > 0 {
		p = &qrPicture{png: drawPNG(c.z, p.modules, k.size)}
		c.add(k, p)
	}
	return p, nil
}

func (c *codes) add(k qrKey, p *qrPicture) {
	c.made.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(k, p)
}

// drawPNG draws modules, black where true, as a white square of at least so many pixels a
// side; each pixel shows the module at its place. Most rows repeat the one before, which PNG
// can say: some 20 times as fast as pixel by pixel.
func drawPNG(z *zlib.Writer, modules [][]bool, side int) []byte {
	side = max(side, len(modules))
	perPixel := float64(len(modules)) / float64(side)
	at := func(pixel int) int { return int(float64(pixel) * perPixel) }
	width := (side + 7) / 8
	same := append([]byte{2}, make([]byte, width)...) // a difference of nothing to the row above
	var data bytes.Buffer                             // it never fails
	z.Reset(&data)
	drawn := -1
	for y := range side {
		row := same
		if line := at(y); line != drawn {
			drawn, row = line, append([]byte{0}, bytes.Repeat([]byte{0xff}, width)...)
			for x := range side {
				if modules[line][at(x)] {
					row[1+x/8] &^= 0x80 >> (x % 8)
				}
			}
		}
		_, _ = z.Write(row)
	}
	_ = z.Close()

	out := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(name string, data []byte) {
		out = binary.BigEndian.AppendUint32(out, uint32(len(data)))
		at := len(out)
		out = append(append(out, name...), data...)
		out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[at:]))
	}
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(side)), uint32(side))
	chunk("IHDR", append(head, 1, 0, 0, 0, 0)) // one bit a pixel, grey
	chunk("IDAT", data.Bytes())
	chunk("IEND", nil)
	return out
}
