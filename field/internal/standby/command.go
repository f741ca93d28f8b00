package standby

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"text/tabwriter"
	"time"

	"sightline/relay/client"
)

// Command is field recordings: what this device has recorded, and its way to the relay.
type Command struct {
	Dir   string `required:"" name:"standby" type:"existingdir" placeholder:"DIR" help:"Where the second recordings are."`
	Relay string `help:"Give them to this relay: its address, or a join link of the room, which has the token in it."`
	Token string `help:"The token, as relay invite prints it."`
}

// Do prints the recordings, after it has given them to the relay where one is named.
func (c Command) Do(ctx context.Context, stdout io.Writer, log *slog.Logger) error {
	s, err := Open(c.Dir, Limits{Bytes: 1 << 62}, log, time.Now)
	if err != nil {
		return err
	}
	var failed error
	if c.Relay != "" {
		u := &Uploader{Store: s, REST: client.REST{URL: c.Relay, Token: c.Token, HTTP: http.DefaultClient}, Log: log}
		if base, token, err := client.ParseLink(c.Relay); err == nil && token != "" && c.Token == "" {
			u.REST.URL, u.REST.Token = base, token
		}
		if u.REST.Token == "" {
			return errors.New("--token is missing: relay invite ROOM --role field --token-only prints one")
		}
		_, failed = u.Once(ctx, "")
	}
	all, err := s.List()
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "case\troom\tbegan\tMB\tstate")
	for _, k := range all {
		state := "kept here"
		switch {
		case k.Open:
			state = "is recorded"
		case k.Uploaded:
			state = "the relay has it"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.1f\t%s\n", k.ID, k.Room, k.UTC, float64(k.Bytes)/1e6, state)
	}
	fmt.Fprintf(t, "\nThe key that verifies them:\n%s\n", s.Key())
	return errors.Join(t.Flush(), failed)
}
