package app

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"sightline/relay/evidence/seal"
	"sightline/relay/internal/api"
	"sightline/relay/internal/audit"
	"sightline/relay/internal/cases"
)

// caseCommands look after recorded cases. Whatever they do is in the audit log.
type caseCommands struct {
	List    keysIn  `cmd:"" help:"Print all cases, also those that the transparency log knows and are missing; exits with 1 where one is, or cannot be read."`
	Hold    caseWhy `cmd:"" help:"Put a legal hold on a case: it is not deleted until it is released."`
	Release caseWhy `cmd:"" help:"End a legal hold."`
	Delete  caseWhy `cmd:"" help:"Delete the contents of a case. Its chain stays, and says when, by whom and why."`
	Export  caseOut `cmd:"" help:"Make one file of a case."`
}

type caseWhy struct {
	Case string `arg:"" help:"Its ID, as list prints it."`
	Why  string `required:"" help:"The reason, in words."`
	Data string `required:"" type:"path" help:"The relay's directory."`
}

type caseOut struct {
	Case string `arg:"" help:"Its ID, as list prints it."`
	Out  string `required:"" type:"path" placeholder:"FILE.zip" help:"The archive, which must not be there yet."`
	Data string `type:"path" help:"The relay's directory."`
	// By the running relay, from anywhere.
	Relay string `placeholder:"https://HOST" help:"Have it from this relay, which also reaches its store, in place of --data."`
	Token string `help:"A token with the right export, for --relay."`
}

func (c caseCommands) run(command string, stdout io.Writer) error {
	switch command {
	case "hold":
		return c.Hold.run(audit.CaseHeld, "hold", func(s *cases.Store, who string) error { return s.Keep(c.Hold.Case, who, c.Hold.Why) })
	case "release":
		return c.Release.run(audit.CaseReleased, "release", func(s *cases.Store, _ string) error { return s.Release(c.Release.Case) })
	case "delete":
		return c.Delete.run(audit.CaseDeleted, "delete", func(s *cases.Store, who string) error { return s.Delete(c.Delete.Case, who, c.Delete.Why) })
	case "export":
		return c.Export.run()
	}
	return listCases(c.List.Data, stdout)
}

func openCases(data string) (*cases.Store, error) {
	s, err := seal.Open(data, seal.Relay)
	if err != nil {
		return nil, err
	}
	return cases.Open(data, s, time.Now), nil
}

func (c caseWhy) run(what, command string, do func(s *cases.Store, who string) error) error {
	s, err := openCases(c.Data)
	if err != nil {
		return err
	}
	found, err := s.Find(c.Case)
	if err == nil {
		err = do(s, account())
	}
	if err != nil {
		return err
	}
	return audit.Once(c.Data, time.Now, audit.Event{What: what, Room: found.Room, By: "relay cases " + command + ", " + account(), Reason: c.Why, Detail: c.Case})
}

func (c caseOut) run() error {
	switch {
	case c.Relay != "" && c.Token != "":
		return c.fetch()
	case c.Relay != "":
		return errors.New("--token is missing: relay invite makes one with the right export")
	case c.Data == "":
		return errors.New("give --data, or --relay and --token")
	}
	s, err := openCases(c.Data)
	if err != nil {
		return err
	}
	found, err := s.Find(c.Case)
	if err != nil {
		return err
	}
	if found.State != cases.Closed {
		return fmt.Errorf("case %s is %s; only a closed one can be exported", c.Case, found.State)
	}
	if !found.Local {
		return cases.ErrNoStore
	}
	if err := (archive{Case: found.Dir, Out: c.Out}).run(); err != nil {
		return err
	}
	return audit.Once(c.Data, time.Now, audit.Event{What: audit.CaseExported, Room: found.Room, By: "relay cases export, " + account(), Detail: c.Case})
}

// fetch has the archive from a running relay.
func (c caseOut) fetch() (err error) {
	f, err := os.OpenFile(c.Out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			err = errors.Join(err, os.Remove(c.Out))
		}
	}()
	req, err := http.NewRequest(http.MethodGet, strings.TrimSuffix(c.Relay, "/")+api.Base+"/cases/"+url.PathEscape(c.Case)+"/export", nil)
	if err != nil {
		return fmt.Errorf("--relay: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
		return fmt.Errorf("the relay says %s: %s", answer.Status, strings.TrimSpace(string(text)))
	}
	_, err = io.Copy(f, answer.Body)
	return err
}

func listCases(data string, stdout io.Writer) error {
	s, err := openCases(data)
	if err != nil {
		return err
	}
	all, err := s.List()
	if err != nil {
		return err
	}
	missing, unreadable := 0, error(nil)
	t := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "case\tstate\troom\tbegan\tlength\tMB\twhere\thold")
	for _, c := range all {
		if c.State == cases.Missing {
			missing++
			fmt.Fprintf(t, "%s\t%s\t\t\t\t\t\t\n", c.ID, c.State)
			continue
		}
		if c.State == cases.Unreadable {
			unreadable = errors.Join(unreadable, fmt.Errorf("case %s of room %s: %s", c.ID, c.Room, c.Fault))
		}
		hold := ""
		if c.Hold != nil {
			hold = c.Hold.Why
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%.1f\t%s\t%s\n", c.ID, c.State, c.Room, c.Began.Format("2006-01-02 15:04:05Z"), c.Length.Round(time.Second), float64(c.Size)/1e6, where(c), hold)
	}
	err = errors.Join(t.Flush(), unreadable)
	if missing > 0 {
		err = errors.Join(err, fmt.Errorf("%d case(s) are in the transparency log and not on the disk: they were taken away, or moved, without relay cases delete", missing))
	}
	return err
}

// where says who recorded a case, and where it is.
func where(c cases.Case) string {
	var words []string
	if c.Standby != "" {
		words = append(words, "second recorder's")
	}
	if c.Local && c.State == cases.Closed {
		words = append(words, "on disk")
	}
	if c.Stored != nil {
		words = append(words, "in store")
	}
	return strings.Join(words, ", ")
}
