package app

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"rsc.io/qr"

	"sightline/relay/internal/audit"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/invitation"
)

type invite struct {
	Make   inviteMake   `cmd:"" default:"withargs" help:"Print a link, and its QR code, that lets somebody into a room; also without the word make."`
	List   inviteList   `cmd:"" help:"Print the invitations that have not expired."`
	Revoke inviteRevoke `cmd:"" help:"End an invitation, and the connections of those who use it."`
}

type inviteMake struct {
	Room      string        `arg:"" help:"Letters, digits, - and _; * for all, with --staff."`
	Role      string        `required:"" enum:"field,expert,viewer" help:"field, expert or viewer."`
	Name      string        `help:"The bearer's name, for people; the role by default."`
	Rights    []string      `name:"right" enum:"publish,draw,record,play,export,hold,delete,moderate,audit" help:"What the bearer may do: publish, draw, moderate, audit (read the audit log), and with recordings: record (list), play (and verify), export (take copies away), hold, delete. By default field and expert publish and draw."`
	Staff     bool          `help:"Walks past the lobby, and may have a token for all rooms."`
	Consent   bool          `help:"The bearer has agreed to being recorded: you vouch for it. For who comes by WHIP and cannot be asked."`
	Expires   time.Duration `default:"12h" help:"For how long the link is good."`
	Watch     []string      `placeholder:"AREA/MACHINE" help:"Machines whose telemetry the room gets when the bearer joins."`
	URL       string        `name:"url" default:"http://127.0.0.1:8080" help:"Where the relay is reached."`
	TokenOnly bool          `help:"Print just the token."`
	Data      string        `required:"" type:"path" help:"The relay's directory."`
}

type inviteList struct {
	Data string `required:"" type:"path" help:"The relay's directory."`
}

type inviteRevoke struct {
	ID   string `arg:"" help:"As invite has printed it, or invite list."`
	Data string `required:"" type:"path" help:"The relay's directory."`
}

func (c invite) run(command string, stdout io.Writer) error {
	switch command {
	case "list":
		return c.List.run(stdout)
	case "revoke":
		return c.Revoke.run(stdout)
	}
	return c.Make.run(stdout)
}

func (c inviteList) run(stdout io.Writer) error {
	all, err := invitation.Open(c.Data, time.Now).List()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tROOM\tROLE\tNAME\tRIGHTS\tUNTIL\tBY")
	for _, i := range all {
		until := i.Expires.Local().Format("2006-01-02 15:04")
		if !i.Withdrawn.IsZero() {
			until = "revoked"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", i.ID, i.Room, i.Role, i.Name, strings.Join(i.Rights, ","), until, i.By)
	}
	return w.Flush()
}

func (c inviteRevoke) run(stdout io.Writer) error {
	i, err := invitation.Open(c.Data, time.Now).Withdraw(c.ID, account())
	if err != nil {
		return err
	}
	if err := audit.Once(c.Data, time.Now, audit.Event{What: audit.Withdrawn, Room: i.Room, Name: i.Name, Role: i.Role, Invitation: i.ID,
		By: "relay invite revoke, " + account()}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "the invitation of %s to room %s has ended; a running relay sends away who uses it\n", i.Name, i.Room)
	return err
}

func (c inviteMake) run(stdout io.Writer) error {
	authority, err := auth.Open(c.Data, time.Now)
	if err != nil {
		return err
	}
	name := c.Name
	if name == "" {
		name = c.Role
	}
	token, made, err := invitation.Open(c.Data, time.Now).Make(authority, auth.Grant{Room: c.Room, Role: c.Role, Name: name, Rights: c.Rights,
		Watch: c.Watch, Staff: c.Staff, Consent: c.Consent}, c.Expires, account())
	if err != nil {
		return err
	}
	if err := audit.Once(c.Data, time.Now, audit.Event{What: audit.Invited, Room: c.Room, Name: name, Role: c.Role, Rights: made.Rights,
		Invitation: made.ID, By: "relay invite, " + account(), Detail: "for " + c.Expires.String()}); err != nil {
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
	_, err = fmt.Fprintf(stdout, "%s\n\n%s\n%s %s may join room %s until %s; relay invite revoke %s ends it.\n", link, drawQR(code),
		strings.ToUpper(c.Role[:1])+c.Role[1:], name, c.Room, made.Expires.Local().Format("2006-01-02 15:04 MST"), made.ID)
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
