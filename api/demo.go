package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/skip2/go-qrcode"

	"sipas/api/store"
	"sipas/api/web"
	"sipas/seeds"
	"sipas/survey"
)

type demoCommand struct {
	Listen  string `default:"127.0.0.1:8080" help:"Address to listen on."`
	Answers int    `default:"24000" help:"How many answers to simulate."`
	Lan     bool   `help:"Also serve the form, and only the form, on the local network, and draw its QR code here."`
}

func (c *demoCommand) Run(t *terminal) (err error) {
	ln, err := listen(t.ctx, c.Listen)
	if err != nil {
		return err
	}
	defer ln.Close()
	public := "http://" + ln.Addr().String()
	var lan net.Listener
	if c.Lan {
		if lan, err = listenLAN(t.ctx, ln); err != nil {
			return err
		}
		defer lan.Close()
		public = "http://" + lan.Addr().String()
	}
	folder, err := os.MkdirTemp("", "sipas-demo-")
	if err != nil {
		return err
	}
	defer removeAll(folder, &err)
	log := quietLogger(t.stderr)
	var secret store.Secret
	if _, err := rand.Read(secret[:]); err != nil {
		return err
	}
	st, err := (&storeFlags{Data: folder, Secret: hex.EncodeToString(secret[:])}).open(t.ctx, "demo", log)
	if err != nil {
		return err
	}
	desk, err := seedDemo(t, st, c.Answers)
	if err != nil {
		return errors.Join(err, st.Close())
	}
	tabletDesk, err := openTabletRound(t.ctx, st, desk)
	if err != nil {
		return errors.Join(err, st.Close())
	}
	token, err := st.CreateToken(t.ctx, "demo", store.Rights, now())
	if err != nil {
		return errors.Join(err, st.Close())
	}
	config := webConfig(log, public)
	config.Direct = true
	s := newService(st, log, web.NewWaiting(config))
	if err := s.ready(t.ctx); err != nil {
		return errors.Join(err, s.close())
	}
	tablet, err := st.AddDevice(t.ctx, "Demo", tabletDesk, now(), rand.Reader)
	if err != nil {
		return errors.Join(err, s.close())
	}
	_, code, err := st.NewPairing(t.ctx, tablet.ID, now(), rand.Reader)
	if err != nil {
		return errors.Join(err, s.close())
	}
	s.announce(t.stdout, "http://"+ln.Addr().String(), public, desk, code, token)
	servers := []listening{{s.web, ln}}
	if lan != nil {
		forms, err := s.offerForm(t.stdout, public, public+"/s/"+desk)
		if err != nil {
			return errors.Join(err, s.close())
		}
		servers = append(servers, listening{forms, lan})
	}
	return s.serve(answer(t.ctx, log, servers...))
}

// announce prints the addresses to open, one a line.
func (s *service) announce(w io.Writer, local, public, desk, code, token string) {
	signIn := func(path string) string {
		return local + strings.TrimPrefix(s.web.SignInURL(token, path, 12*time.Hour), public)
	}
	fmt.Fprintf(w, "form   %s/s/%s\n", public, desk)
	fmt.Fprintf(w, "qr     %s/qr/%s.png\n", local, desk)
	fmt.Fprintf(w, "report %s\n", signIn("/reports/"+seeds.DemoRound))
	fmt.Fprintf(w, "tablet %s/kiosk#%s (on this machine, within ten minutes)\n", local, code)
	fmt.Fprintf(w, "fleet  %s\n", signIn("/fleet"))
	fmt.Fprintf(w, "token  %s\n", token)
	fmt.Fprintln(w, "Ctrl-C stops the demonstration and removes its data.")
}

// ready waits until reports are exact.
func (s *service) ready(ctx context.Context) error {
	for {
		if _, _, ready := s.analysis.Progress(); ready {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// offerForm draws the form's QR code and returns a server for the local network
// with the citizen's routes only: there is no TLS, so no token may pass there.
func (s *service) offerForm(w io.Writer, public, form string) (*web.Server, error) {
	code, err := qrcode.New(form, qrcode.Medium)
	if err != nil {
		return nil, fmt.Errorf("draw the QR code: %w", err)
	}
	if _, err := fmt.Fprintf(w, "\nScan with a phone on the same network (%s):\n%s", form, code.ToSmallString(false)); err != nil {
		return nil, err
	}
	cfg := webConfig(s.log, public)
	cfg.FormOnly = true
	return web.New(cfg, s.store, s.analysis), nil
}

// listenLAN listens on this machine's address in the local network, on the port
// of ln.
func listenLAN(ctx context.Context, ln net.Listener) (net.Listener, error) {
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return nil, err
	}
	ip, err := lanAddress(ctx)
	if err != nil {
		return nil, err
	}
	return listen(ctx, net.JoinHostPort(ip.String(), port))
}

// lanAddress is this machine's IPv4 address in its network: the one from which
// it would reach others, else the first that is not the machine's own loop.
func lanAddress(ctx context.Context) (net.IP, error) {
	// Connecting a UDP socket only looks up the route: nothing is sent. The
	// address belongs to nobody (RFC 5737).
	if conn, err := new(net.Dialer).DialContext(ctx, "udp4", "203.0.113.1:9"); err == nil {
		defer conn.Close()
		if local, ok := conn.LocalAddr().(*net.UDPAddr); ok {
			return local.IP, nil
		}
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("find this machine's address in the local network: %w", err)
	}
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && ip.IP.IsGlobalUnicast() {
			return ip.IP, nil
		}
	}
	return nil, errors.New("this machine is in no network: connect it, or leave --lan out")
}

// seedDemo loads the province and a simulated round, and returns a desk to try.
func seedDemo(t *terminal, st *store.Store, answers int) (desk string, err error) {
	today := survey.DateOf(now())
	params := seeds.DefaultParams()
	params.Answers, params.Split = answers, true
	documents, simulation, err := seeds.Demo(today, params)
	if err != nil {
		return "", err
	}
	if _, err := st.PutDocuments(t.ctx, documents); err != nil {
		return "", err
	}
	bar := newProgress(t.stderr, int64(simulation.Answers()), "simulated answers", false)
	catalogue := st.View().Catalogue
	visits := map[string]int{}
	var batch []survey.Response
	flush := func() error {
		outcomes, err := st.AddResponses(t.ctx, batch)
		if err != nil {
			return fmt.Errorf("store simulated answers: %w", err)
		}
		for i, o := range outcomes {
			if o != store.Stored {
				return fmt.Errorf("simulated answer %s: %s", batch[i].ID, o)
			}
		}
		if err := bar.Add(len(batch)); err != nil {
			return err
		}
		batch = batch[:0]
		return t.ctx.Err()
	}
	for visit := range simulation.Visits(today.AddDays(-1)) {
		submission, origin, received := visit.Submission()
		r, err := survey.Accept(catalogue, submission, origin, received)
		if err != nil {
			return "", fmt.Errorf("simulated answer: %w", err)
		}
		visits[r.Desk]++
		if batch = append(batch, r); len(batch) == 1000 {
			if err := flush(); err != nil {
				return "", err
			}
		}
	}
	if err := flush(); err != nil {
		return "", err
	}
	return busiestDesk(visits), bar.Finish()
}

// openTabletRound opens a short round for tablets at another office than that of a desk,
// and returns a desk there.
func openTabletRound(ctx context.Context, st *store.Store, desk string) (tabletDesk string, err error) {
	c := st.View().Catalogue
	for _, id := range slices.Sorted(maps.Keys(c.Desks)) {
		if c.Desks[id].Unit != c.Desks[desk].Unit {
			tabletDesk = id
			break
		}
	}
	round := *c.Rounds[seeds.DemoRound]
	round.ID, round.Title = "demo-tablet", survey.Text{"vi": "Đợt minh họa trên máy tính bảng", "en": "Demonstration round of tablets"}
	round.PrimaryChannel, round.Units, round.First = survey.ChannelKiosk, []string{c.Desks[tabletDesk].Unit}, survey.DateOf(now())
	_, err = st.PutDocuments(ctx, survey.Documents{Rounds: []survey.Round{round}})
	return tabletDesk, err
}

// busiestDesk is the desk with most visits, the first of several.
func busiestDesk(visits map[string]int) string {
	best := ""
	for desk, n := range visits {
		if best == "" || n > visits[best] || n == visits[best] && desk < best {
			best = desk
		}
	}
	return best
}

// newProgress draws a bar on a terminal and nothing elsewhere.
func newProgress(w io.Writer, total int64, what string, bytes bool) *progressbar.ProgressBar {
	if !isTerminal(w) {
		w = io.Discard
	}
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what), progressbar.OptionShowBytes(bytes),
		progressbar.OptionSetWidth(30), progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(w) }))
}
