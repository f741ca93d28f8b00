// Package invitation keeps the book of invitations, so that they can be listed and withdrawn: one line of JSON for
// each that is made and each that is withdrawn, appended to DATA/invitations.jsonl. Several processes may append at
// once; nothing is changed or taken out. The book holds no tokens: who reads it cannot come in with it.
//
//	{"id":"3KQ…","room":"hall1","role":"field","name":"Tom","rights":["publish","draw"],"made":"…","expires":"…","by":"…"}
//	{"id":"3KQ…","withdrawn":"2026-03-01T08:15:02Z","by":"relay invite revoke, account ann"}
package invitation

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"sightline/relay/internal/auth"
	"sightline/relay/internal/lines"
)

// Invitation is one entry of the book.
type Invitation struct {
	ID          string    `json:"id"` // the token's
	Room        string    `json:"room"`
	Role        string    `json:"role"`
	Name        string    `json:"name"`
	Rights      []string  `json:"rights"`
	Watch       []string  `json:"watch,omitempty"`
	Staff       bool      `json:"staff,omitempty"`
	Consent     bool      `json:"consent,omitempty"` // to being recorded
	Made        time.Time `json:"made"`
	Expires     time.Time `json:"expires"`
	By          string    `json:"by"`                 // who made it
	Withdrawn   time.Time `json:"withdrawn,omitzero"` // zero: it holds
	WithdrawnBy string    `json:"withdrawn_by,omitempty"`
}

// line is one line of the file.
type line struct {
	Invitation
	Withdrawn time.Time `json:"withdrawn,omitzero"`
}

// ErrUnknown says that there is no such invitation.
var ErrUnknown = errors.New("no such invitation: relay invite list prints them")

// Book is the file. Its methods may be called from any goroutine; they see what other processes have written.
type Book struct {
	path string
	now  func() time.Time

	mu   sync.Mutex
	read int64 // bytes of whole lines
	all  map[string]*Invitation
}

// Open opens the book under a data directory, which must be there. The file is made with the first entry.
func Open(data string, now func() time.Time) *Book {
	return &Book{path: filepath.Join(data, "invitations.jsonl"), now: now, all: map[string]*Invitation{}}
}

// Make signs a token for a grant, good for a time, and enters it into the book. by says who invites.
func (b *Book) Make(a *auth.Authority, g auth.Grant, ttl time.Duration, by string) (token string, made Invitation, err error) {
	token, g, err = a.Issue(g, ttl)
	if err != nil {
		return "", Invitation{}, err
	}
	made = Invitation{ID: g.ID, Room: g.Room, Role: g.Role, Name: g.Name, Rights: g.Rights, Watch: g.Watch, Staff: g.Staff, Consent: g.Consent,
		Made: g.IssuedAt.UTC(), Expires: g.ExpiresAt.UTC(), By: by}
	return token, made, b.append(line{Invitation: made})
}

// Withdraw ends an invitation. It fails with ErrUnknown where there is none, and does nothing to one that is
// withdrawn already.
func (b *Book) Withdraw(id, by string) (Invitation, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.refresh(); err != nil {
		return Invitation{}, err
	}
	i := b.all[id]
	if i == nil {
		return Invitation{}, ErrUnknown
	}
	if i.Withdrawn.IsZero() {
		if err := b.append(line{Invitation: Invitation{ID: id, By: by}, Withdrawn: b.now().UTC()}); err != nil {
			return Invitation{}, err
		}
		if err := b.refresh(); err != nil {
			return Invitation{}, err
		}
		if i = b.all[id]; i.Withdrawn.IsZero() {
			return Invitation{}, fmt.Errorf("book of invitations: the invitation %s still holds: what was written is not read again; is the disk full? revoke it once more", id)
		}
	}
	return *i, nil
}

// Withdrawn says whether an invitation was withdrawn. While the file cannot be read, what was read last holds.
func (b *Book) Withdrawn(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = b.refresh()
	i := b.all[id]
	return i != nil && !i.Withdrawn.IsZero()
}

// All returns the invitations that have not expired, as List, and whether the book has changed since version, which the
// next call is to be given.
func (b *Book) All(version int64) (all []Invitation, now int64, err error) {
	all, err = b.List()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil || b.read == version {
		return nil, version, err
	}
	return all, b.read, nil
}

// Learn enters what another relay's book says of an invitation, where this one does not know it.
func (b *Book) Learn(other Invitation) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.refresh(); err != nil {
		return err
	}
	known := b.all[other.ID]
	if known == nil {
		entry := other
		entry.Withdrawn, entry.WithdrawnBy = time.Time{}, ""
		if err := b.append(line{Invitation: entry}); err != nil {
			return err
		}
	}
	if !other.Withdrawn.IsZero() && (known == nil || known.Withdrawn.IsZero()) {
		return b.append(line{Invitation: Invitation{ID: other.ID, By: other.WithdrawnBy}, Withdrawn: other.Withdrawn})
	}
	return nil
}

// Ended returns the IDs of all that were withdrawn. While the file cannot be read, what was read last holds.
func (b *Book) Ended() map[string]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = b.refresh()
	out := map[string]bool{}
	for id, i := range b.all {
		if !i.Withdrawn.IsZero() {
			out[id] = true
		}
	}
	return out
}

// List returns the invitations that have not expired, also those that were withdrawn, the latest first.
func (b *Book) List() ([]Invitation, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.refresh(); err != nil {
		return nil, err
	}
	out := []Invitation{}
	for _, i := range b.all {
		if b.now().Before(i.Expires) {
			out = append(out, *i)
		}
	}
	slices.SortFunc(out, func(x, y Invitation) int { return cmp.Or(y.Made.Compare(x.Made), cmp.Compare(x.ID, y.ID)) })
	return out, nil
}

// refresh reads what was appended since. The caller holds mu.
func (b *Book) refresh() error {
	f, err := os.Open(b.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("book of invitations: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() == b.read {
		return nil
	}
	if _, err := f.Seek(b.read, io.SeekStart); err != nil {
		return fmt.Errorf("book of invitations: %w", err)
	}
	for r := bufio.NewReader(f); ; {
		text, err := r.ReadBytes('\n')
		if err != nil { // the end, perhaps in the middle of a line that is being written
			return nil
		}
		b.read += int64(len(text))
		b.take(text)
	}
}

// take takes one line. What is no line of this book is passed over.
func (b *Book) take(text []byte) {
	var l line
	if json.Unmarshal(text, &l) != nil || l.ID == "" {
		return
	}
	if l.Withdrawn.IsZero() {
		i := l.Invitation
		b.all[l.ID] = &i
	} else if i := b.all[l.ID]; i != nil {
		i.Withdrawn, i.WithdrawnBy = l.Withdrawn, l.By
	}
}

func (b *Book) append(l line) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(b.path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("book of invitations: %w", err)
	}
	if err := errors.Join(lines.Append(f, text), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("book of invitations: %w", err)
	}
	return nil
}
