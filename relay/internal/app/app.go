// Package app is the relay's command line.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"rsc.io/qr"

	"sightline/relay/internal/audit"
	"sightline/relay/internal/auth"
)

// commands is the command line.
type commands struct {
	Serve  serve   `cmd:"" help:"Run the relay."`
	Config example `cmd:"" help:"Print a configuration file with every setting of serve, its default and what it does."`
	Doctor doctor  `cmd:"" help:"Examine ports, certificate, clock, disk, NATS and TURN with the settings of serve, and say how to mend what is wrong."`
	Invite invite  `cmd:"" help:"Print a link, and its QR code, that lets somebody into a room."`
	Keys   keys    `cmd:"" help:"The keys that sign invitations."`

	Verify  verify  `cmd:"" help:"Prove a case: that nothing in it was changed, left out, added or reordered. Exits with 0 only where all is proven."`
	Archive archive `cmd:"" help:"Make one file of a case."`
	SealKey sealKey `cmd:"" name:"seal-key" help:"Print the public key that verifies this relay's cases. Give it to who is to verify them, on a way of its own."`
}

// example is relay config.
type example struct{}

type invite struct {
	Room      string        `arg:"" help:"Letters, digits, - and _."`
	Role      string        `required:"" enum:"field,expert,viewer" help:"field, expert or viewer."`
	Name      string        `help:"The bearer's name, for people; the role by default."`
	Rights    []string      `name:"right" enum:"publish,draw,record,moderate" help:"What the bearer may do: publish, draw, record, moderate. By default field and expert publish and draw."`
	Expires   time.Duration `default:"12h" help:"For how long the link is good."`
	Watch     []string      `placeholder:"AREA/MACHINE" help:"Machines whose telemetry the room gets when the bearer joins."`
	URL       string        `name:"url" default:"http://127.0.0.1:8080" help:"Where the relay is reached."`
	TokenOnly bool          `help:"Print just the token."`
	Data      string        `required:"" type:"path" help:"The relay's directory."`
}

// Run runs the command line and returns the exit code. Serving ends with ctx, and, in time, when drain is closed.
func Run(ctx context.Context, drain <-chan struct{}, args []string, stdout, stderr io.Writer) int {
	var c commands
	code := -1
	c.Serve.place = func(err error) error { return err }
	parser, err := kong.New(&c, kong.Name("relay"), kong.Description("Sightline's relay: rooms, media, messages and recordings."),
		kong.DefaultEnvars(envPrefix), kong.Writers(stdout, stderr), kong.Exit(func(n int) { code = n }))
	if err != nil {
		fmt.Fprintln(stderr, "relay:", err)
		return 2
	}
	parsed, err := parser.Parse(args)
	if code >= 0 { // help was asked for
		return code
	}
	if err != nil {
		fmt.Fprintln(stderr, "relay:", err)
		return 2
	}
	switch words := strings.Fields(parsed.Command()); words[0] {
	case "serve":
		err = c.Serve.run(ctx, drain, stdout, stderr)
	case "doctor":
		err = c.Doctor.run(ctx, stdout)
	case "config":
		err = printExample(parser, stdout)
	case "verify":
		err = c.Verify.run(stdout)
	case "archive":
		err = c.Archive.run()
	case "seal-key":
		err = c.SealKey.run(stdout)
	case "keys":
		err = c.Keys.run(words[1], stdout)
	default:
		err = c.Invite.run(stdout)
	}
	if err != nil {
		if !errors.Is(err, errNotProven) {
			fmt.Fprintln(stderr, "relay:", err)
		}
		return 1
	}
	return 0
}

func (c invite) run(stdout io.Writer) error {
	authority, err := auth.Open(c.Data, time.Now)
	if err != nil {
		return err
	}
	name := c.Name
	if name == "" {
		name = c.Role
	}
	grant := auth.Grant{Room: c.Room, Role: c.Role, Name: name, Rights: c.Rights, Watch: c.Watch}
	if grant.Rights == nil {
		grant.Rights = auth.DefaultRights(c.Role)
	}
	grant.ID = rand.Text()
	token, err := authority.Sign(grant, c.Expires)
	if err != nil {
		return err
	}
	if err := audit.Once(c.Data, time.Now, audit.Event{What: audit.Invited, Room: c.Room, Name: name, Role: c.Role, Rights: grant.Rights,
		Invitation: grant.ID, By: "relay invite, " + account(), Detail: "for " + c.Expires.String()}); err != nil {
		return err
	}
	if c.TokenOnly {
		_, err = fmt.Fprintln(stdout, token)
		return err
	}
	link, err := joinLink(c.URL, token)
	if err != nil {
		return err
	}
	code, err := qr.Encode(link, qr.L)
	if err != nil {
		return fmt.Errorf("draw the QR code: %w", err)
	}
	_, err = fmt.Fprintf(stdout, "%s\n\n%s\n%s %s may join room %s until %s.\n", link, drawQR(code), strings.ToUpper(c.Role[:1])+c.Role[1:],
		name, c.Room, time.Now().Add(c.Expires).Format("2006-01-02 15:04 MST"))
	return err
}

// joinLink puts the token behind the #, where a browser keeps it from servers and their logs.
func joinLink(base, token string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", fmt.Errorf("--url %q: want http://host:port or https://host:port", base)
	}
	u.Path, u.Fragment, u.RawQuery = strings.TrimSuffix(u.Path, "/")+"/join", token, ""
	return u.String(), nil
}

// drawQR draws two rows of the code in one line of text, light on dark, with the quiet zone it needs.
func drawQR(code *qr.Code) string {
	const quiet = 2
	var b strings.Builder
	for y := -quiet; y < code.Size+quiet; y += 2 {
		for x := -quiet; x < code.Size+quiet; x++ {
			b.WriteString([]string{"█", "▄", "▀", " "}[index(code.Black(x, y))*2+index(code.Black(x, y+1))])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}
