package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/skip2/go-qrcode"

	"sipas/api/web"
	"sipas/kiosk"
	"sipas/survey"
)

type deviceCommand struct {
	List       deviceListCommand       `cmd:"" help:"List tablets and how they do."`
	Create     deviceCreateCommand     `cmd:"" help:"Make a tablet and a code that pairs it within ten minutes."`
	Pair       devicePairCommand       `cmd:"" help:"Make a new code for a tablet: one that was wiped, replaced or revoked."`
	Rename     deviceRenameCommand     `cmd:"" help:"Give a tablet another name."`
	Move       deviceMoveCommand       `cmd:"" help:"Put a tablet at another desk."`
	Message    deviceMessageCommand    `cmd:"" help:"Show a message on a tablet, \"\" for none."`
	Comments   deviceCommentsCommand   `cmd:"" help:"Let people write comments on a tablet, or not."`
	Revoke     deviceRevokeCommand     `cmd:"" help:"Take a tablet out of service; pair takes it back."`
	WriteOff   deviceWriteOffCommand   `cmd:"" help:"Note that what is missing on a tablet is lost and its clones are dealt with; more of them is told again."`
	Upload     deviceUploadCommand     `cmd:"" help:"Hand in files that tablets exported; the same one may come any number of times."`
	Quarantine deviceQuarantineCommand `cmd:"" help:"List answers of tablets in which something is wrong, try them again, or discard one."`
}

// tabletService is the client of these commands: like tablets, they need a running
// service.
func (f serviceFlags) tabletService(t *terminal) (*client, error) {
	if f.URL == "" {
		return nil, errors.New("tablets are managed through the running service: --url https://khaosat.example.gov.vn (SIPAS_URL) and an access token with the right staff (SIPAS_TOKEN_FILE, SIPAS_TOKEN)")
	}
	return newClient(f, t.stderr)
}

// deviceFlags name a tablet.
type deviceFlags struct {
	serviceFlags
	ID string `arg:"" help:"Id of the tablet, see device list."`
}

// post orders something of the tablet.
func (f *deviceFlags) post(t *terminal, action string, order, result any) error {
	client, err := f.tabletService(t)
	if err != nil {
		return err
	}
	err = client.do(t.ctx, http.MethodPost, "/api/v1/devices/"+url.PathEscape(f.ID)+action, order, result, false)
	var refused *serviceError
	if errors.As(err, &refused) && refused.Code == "not_found" {
		return fmt.Errorf("there is no tablet %q: see sipas device list", f.ID)
	}
	return err
}

// change orders something and prints how the tablet is then.
func (f *deviceFlags) change(t *terminal, action string, order any) error {
	var d web.DeviceStatus
	if err := f.post(t, action, order, &d); err != nil {
		return err
	}
	return printDevices(t.stdout, []web.DeviceStatus{d})
}

type deviceListCommand struct {
	serviceFlags
	JSON bool `name:"json" help:"Print everything that is known, as JSON."`
}

func (c *deviceListCommand) Run(t *terminal) error {
	client, err := c.tabletService(t)
	if err != nil {
		return err
	}
	var answer json.RawMessage
	if err := client.do(t.ctx, http.MethodGet, "/api/v1/devices", nil, &answer, false); err != nil {
		return err
	}
	if c.JSON {
		var out bytes.Buffer
		if err := json.Indent(&out, append(answer, '\n'), "", "  "); err != nil {
			return err
		}
		_, err := out.WriteTo(t.stdout)
		return err
	}
	var list struct {
		Devices     []web.DeviceStatus `json:"devices"`
		Quarantined int64              `json:"quarantined"`
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return fmt.Errorf("read the service's list of tablets: %w", err)
	}
	if err := printDevices(t.stdout, list.Devices); err != nil || list.Quarantined == 0 {
		return err
	}
	_, err = fmt.Fprintf(t.stdout, "%s in quarantine: see sipas device quarantine\n", counted(list.Quarantined, "answer"))
	return err
}

func printDevices(w io.Writer, devices []web.DeviceStatus) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "id\tname\tdesk\tstate\tlast contact (Vietnam)\tqueue\tmissing\tunaccounted\twritten off")
	for _, d := range devices {
		last := "never"
		if d.LastContact != nil {
			last = vietnamMinute(*d.LastContact)
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%d\t%d\n", d.ID, d.Name, d.Desk, strings.Join(d.States, ","), last, d.Queue, rangesText(d.Missing), d.Unaccounted, d.WrittenOff)
	}
	return out.Flush()
}

func vietnamMinute(t time.Time) string { return t.In(survey.VietnamTime()).Format("2006-01-02 15:04") }

// rangesText writes numbers as 7,120-134, none as -.
func rangesText(numbers kiosk.Numbers) string {
	if len(numbers) == 0 {
		return "-"
	}
	parts := make([]string, len(numbers))
	for i, r := range numbers {
		parts[i] = fmt.Sprint(r[0])
		if r[1] > r[0] {
			parts[i] = fmt.Sprintf("%d-%d", r[0], r[1])
		}
	}
	return strings.Join(parts, ",")
}

type deviceCreateCommand struct {
	serviceFlags
	Name string `arg:"" help:"Name that staff know the tablet by."`
	Desk string `required:"" help:"Code of the desk where it stands, or its address."`
}

func (c *deviceCreateCommand) Run(t *terminal) error {
	client, err := c.tabletService(t)
	if err != nil {
		return err
	}
	var paired web.PairedDevice
	if err := client.do(t.ctx, http.MethodPost, "/api/v1/devices", map[string]string{"name": c.Name, "desk": c.Desk}, &paired, false); err != nil {
		return err
	}
	return printPairing(t.stdout, &paired)
}

type devicePairCommand struct{ deviceFlags }

func (c *devicePairCommand) Run(t *terminal) error {
	var paired web.PairedDevice
	if err := c.post(t, "/pairing", nil, &paired); err != nil {
		return err
	}
	return printPairing(t.stdout, &paired)
}

// printPairing says how to pair a tablet: by its camera, or by hand.
func printPairing(w io.Writer, p *web.PairedDevice) error {
	code, err := qrcode.New(p.Address, qrcode.Medium)
	if err != nil {
		return fmt.Errorf("draw the QR code: %w", err)
	}
	_, err = fmt.Fprintf(w, "id       %s\ncode     %s\nuntil    %s (Vietnam)\naddress  %s\n%s", p.Device.ID, p.Code, vietnamMinute(p.Until), p.Address, code.ToSmallString(false))
	return err
}

type deviceRenameCommand struct {
	deviceFlags
	Name string `arg:"" help:"New name."`
}

func (c *deviceRenameCommand) Run(t *terminal) error {
	return c.change(t, "", map[string]string{"name": c.Name})
}

type deviceMoveCommand struct {
	deviceFlags
	Desk string `arg:"" help:"Code of the desk where it stands from now on."`
}

func (c *deviceMoveCommand) Run(t *terminal) error {
	return c.change(t, "", map[string]string{"desk": c.Desk})
}

type deviceMessageCommand struct {
	deviceFlags
	Text string `arg:"" help:"What staff read on it, at most 300 characters."`
}

func (c *deviceMessageCommand) Run(t *terminal) error {
	return c.change(t, "", map[string]string{"message": c.Text})
}

type deviceCommentsCommand struct {
	deviceFlags
	State string `arg:"" enum:"on,off" help:"on or off."`
}

func (c *deviceCommentsCommand) Run(t *terminal) error {
	return c.change(t, "", map[string]bool{"comments": c.State == "on"})
}

type deviceRevokeCommand struct{ deviceFlags }

func (c *deviceRevokeCommand) Run(t *terminal) error { return c.change(t, "/revoke", nil) }

type deviceWriteOffCommand struct{ deviceFlags }

func (c *deviceWriteOffCommand) Run(t *terminal) error { return c.change(t, "/writeoff", nil) }

type deviceUploadCommand struct {
	serviceFlags
	Files    []string `arg:"" name:"file" type:"existingfile" help:"Files that tablets exported."`
	Receipts bool     `help:"Write what the server said of each answer beside the file, as FILE.receipts.json: a tablet that stays without network reads it."`
}

// Run hands in every file, whatever becomes of the others.
func (c *deviceUploadCommand) Run(t *terminal) error {
	client, err := c.tabletService(t)
	if err != nil {
		return err
	}
	var result error
	for _, file := range c.Files {
		if err := c.upload(t, client, file); err != nil {
			fmt.Fprintf(t.stderr, "sipas: %s: %v\n", file, err)
			result = errSilent
		}
	}
	return result
}

func (c *deviceUploadCommand) upload(t *terminal, client *client, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var out struct {
		Device      string `json:"device"`
		Answers     int64  `json:"answers"`
		Stored      int    `json:"stored"`
		Withdrawn   int    `json:"withdrawn"`
		Quarantined int    `json:"quarantined"`
		Failed      int64  `json:"failed"`

		Receipts json.RawMessage `json:"receipts"`
	}
	if err := client.do(t.ctx, http.MethodPost, "/api/v1/kiosk/exports", json.RawMessage(text), &out, false); err != nil {
		return err
	}
	fmt.Fprintf(t.stdout, "%s: %s of tablet %s: %d stored, %d quarantined, %d withdrawn, %d failed\n",
		file, counted(out.Answers, "answer"), out.Device, out.Stored, out.Quarantined, out.Withdrawn, out.Failed)
	if c.Receipts {
		receipts, err := json.Marshal(map[string]json.RawMessage{"receipts": out.Receipts})
		if err == nil {
			err = os.WriteFile(file+".receipts.json", receipts, 0o600)
		}
		if err != nil {
			return fmt.Errorf("the answers are taken; the receipts: %w", err)
		}
	}
	if out.Quarantined > 0 {
		fmt.Fprintln(t.stdout, "  what is wrong with quarantined ones: sipas device quarantine")
	}
	if out.Failed > 0 {
		return fmt.Errorf("the store could not take %s: hand the file in again", counted(out.Failed, "answer"))
	}
	return nil
}

type deviceQuarantineCommand struct {
	serviceFlags
	Retry   bool   `xor:"do" help:"Try all of them again, after what kept them out was mended."`
	Discard string `xor:"do" placeholder:"ID" help:"Erase the answer with this id for good: it can never be taken."`
}

func (c *deviceQuarantineCommand) Run(t *terminal) error {
	client, err := c.tabletService(t)
	if err != nil {
		return err
	}
	if c.Retry {
		var out struct {
			Taken int64 `json:"taken"`
			Left  int64 `json:"left"`
		}
		if err := client.do(t.ctx, http.MethodPost, "/api/v1/quarantine/retry", nil, &out, false); err != nil {
			return err
		}
		_, err := fmt.Fprintf(t.stdout, "%s taken, %d left in quarantine\n", counted(out.Taken, "answer"), out.Left)
		return err
	}
	if c.Discard != "" {
		err := client.do(t.ctx, http.MethodPost, "/api/v1/quarantine/"+url.PathEscape(c.Discard)+"/discard", nil, &struct{}{}, false)
		var refused *serviceError
		if errors.As(err, &refused) && refused.Code == "not_found" {
			return fmt.Errorf("there is no answer %q in quarantine: see sipas device quarantine", c.Discard)
		}
		if err == nil {
			_, err = fmt.Fprintln(t.stdout, "1 answer discarded")
		}
		return err
	}
	out := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "answer\ttablet\tgiven (UTC hour)\treceived (UTC hour)\treason")
	for after := ""; ; {
		var page struct {
			Answers []struct{ ID, Device, Reason, Answered, Received string }
			After   string
		}
		if err := client.do(t.ctx, http.MethodGet, "/api/v1/quarantine?after="+url.QueryEscape(after), nil, &page, false); err != nil {
			return err
		}
		for _, a := range page.Answers {
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\n", a.ID, a.Device, a.Answered, a.Received, a.Reason)
		}
		if after = page.After; after == "" {
			return out.Flush()
		}
	}
}
