package api

import (
	"context"
	"io"
	"net/http"
	"slices"
	"time"

	"sightline/relay/internal/audit"
)

// Case is a recording of a room: a case.
type Case struct {
	ID    string    `json:"id"`
	Room  string    `json:"room"`
	Began time.Time `json:"began"`
	// Seconds is how long it is; 0 while it is recorded.
	Seconds float64 `json:"seconds"`
	Bytes   int64   `json:"bytes"`
	State   string  `json:"state"` // recording, closed, deleted or unreadable
	// Fault says why it is unreadable, and what to do.
	Fault string `json:"fault,omitempty"`
	// Standby is the participant whose second recorder wrote it; empty for the relay's own.
	Standby string `json:"standby,omitempty"`
	Local   bool   `json:"local"`  // on the relay's disk
	Stored  bool   `json:"stored"` // in the store of finished cases
	Hold    *Hold  `json:"hold,omitempty"`
}

// Hold is why a case must be kept.
type Hold struct {
	Who string    `json:"who"`
	Why string    `json:"why"`
	UTC time.Time `json:"utc"`
}

// Cases gives cases out, and has each access noted. A verdict is JSON; an archive is read from any byte on.
type Cases interface {
	Cases() ([]Case, error)
	Verdict(ctx context.Context, id string) (any, error)
	OpenCase(ctx context.Context, id string) (io.ReadSeekCloser, error)
	Accessed(what string, c Case, detail string, by audit.Actor)
}

// CaseKeeper decides what becomes of cases.
type CaseKeeper interface {
	HoldCase(c Case, why string, by audit.Actor) error
	ReleaseCase(c Case, by audit.Actor) error
	DeleteCase(c Case, why string, by audit.Actor) error
}

var errNoCase = refusal{http.StatusNotFound, "there is no such case in the rooms that the token covers"}

func listCases(c call) (int, any, error) {
	all, err := c.Cases.Cases()
	only := c.r.URL.Query().Get("room")
	all = slices.DeleteFunc(all, func(x Case) bool { return !c.grant.Covers(x.Room) || only != "" && x.Room != only })
	return http.StatusOK, map[string]any{"cases": append([]Case{}, all...)}, err
}

// find returns the case of the path. Of a case in another room nobody learns that it is there, and the try is noted.
func (c call) find() (Case, error) {
	all, err := c.Cases.Cases()
	if err != nil {
		return Case{}, err
	}
	for _, x := range all {
		if x.ID != c.r.PathValue("case") {
			continue
		}
		if !c.grant.Covers(x.Room) {
			c.Door.Forbid(c.r, c.grant, "the case is of room "+x.Room)
			break
		}
		return x, nil
	}
	return Case{}, errNoCase
}

func getCase(c call) (int, any, error) {
	x, err := c.find()
	return http.StatusOK, x, err
}

func verdict(c call) (int, any, error) {
	x, err := c.find()
	if err != nil {
		return 0, nil, err
	}
	if err := c.slowly(); err != nil {
		return 0, nil, err
	}
	v, err := c.Cases.Verdict(c, x.ID)
	if err == nil {
		c.Cases.Accessed(audit.CaseVerified, x, "", c.actor())
	}
	return http.StatusOK, v, err
}

// slowly lets the answer take its time: the server's limit is for what comes in.
func (c call) slowly() error { return http.NewResponseController(c.w).SetReadDeadline(time.Time{}) }

func archiveCase(c call) (int, any, error) { return give(c, audit.CasePlayed) }

func exportCase(c call) (int, any, error) { return give(c, audit.CaseExported) }

// give gives out a case's archive, or the range of it that is asked for.
func give(c call, what string) (int, any, error) {
	x, err := c.find()
	if err != nil {
		return 0, nil, err
	}
	if x.State != "closed" {
		return 0, nil, refusal{http.StatusConflict, "the case is " + x.State + ": only a closed one can be given out"}
	}
	if err := c.slowly(); err != nil {
		return 0, nil, err
	}
	from, err := c.Cases.OpenCase(c, x.ID)
	if err != nil {
		return 0, nil, err
	}
	defer from.Close()
	c.Cases.Accessed(what, x, c.r.Header.Get("Range"), c.actor())
	c.w.Header().Set("Content-Type", "application/zip")
	c.w.Header().Set("Content-Disposition", `attachment; filename="`+x.Room+"-"+x.Began.UTC().Format("20060102T150405Z")+"-"+x.ID+`.zip"`)
	c.w.Header().Set("ETag", `"`+x.ID+`"`) // a closed case never changes
	http.ServeContent(c.w, c.r, "", time.Time{}, from)
	return 0, nil, nil
}

// reason reads why something is done to a case.
func reason(c call) (string, error) {
	var in struct {
		Why string `json:"why"`
	}
	if err := body(c, &in); err != nil {
		return "", err
	}
	if in.Why == "" || len(in.Why) > 1000 {
		return "", bad("why is missing, or longer than 1000 bytes: say in words why")
	}
	return in.Why, nil
}

// keep does something to the case of the path.
func keep(c call, do func(x Case) error) (int, any, error) {
	x, err := c.find()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, do(x)
}

func holdCase(c call) (int, any, error) {
	return keep(c, func(x Case) error {
		why, err := reason(c)
		if err != nil {
			return err
		}
		return c.CaseKeeper.HoldCase(x, why, c.actor())
	})
}

func releaseCase(c call) (int, any, error) {
	return keep(c, func(x Case) error { return c.CaseKeeper.ReleaseCase(x, c.actor()) })
}

func deleteCase(c call) (int, any, error) {
	return keep(c, func(x Case) error {
		why, err := reason(c)
		if err != nil {
			return err
		}
		return c.CaseKeeper.DeleteCase(x, why, c.actor())
	})
}
