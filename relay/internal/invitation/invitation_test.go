package invitation

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sightline/relay/internal/auth"
)

func TestBook(t *testing.T) {
	data := t.TempDir()
	now := time.Unix(1_700_000_000, 0)
	clock := func() time.Time { return now }
	a, err := auth.Open(data, clock)
	if err != nil {
		t.Fatal(err)
	}
	relay, command := Open(data, clock), Open(data, clock)
	token, made, err := command.Make(a, auth.Grant{Room: "hall", Role: "field", Name: "Tom"}, time.Hour, "test")
	if err != nil {
		t.Fatal(err)
	}
	if g, err := a.Check(token); err != nil || g.ID != made.ID {
		t.Fatalf("%+v %v, want the ID %s", g, err, made.ID)
	}
	if relay.Withdrawn(made.ID) {
		t.Error("withdrawn from the start")
	}
	for range 2 { // the second changes nothing
		if i, err := command.Withdraw(made.ID, "Ann"); err != nil || i.WithdrawnBy != "Ann" || i.Name != "Tom" {
			t.Errorf("%+v %v", i, err)
		}
	}
	if !relay.Withdrawn(made.ID) {
		t.Error("the relay does not see what a command has withdrawn")
	}
	if _, err := command.Withdraw("none", "Ann"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	now = now.Add(time.Minute)
	if _, _, err := command.Make(a, auth.Grant{Room: "hall", Role: "expert", Name: "Eva"}, 12*time.Hour, "test"); err != nil {
		t.Fatal(err)
	}
	if all, err := relay.List(); err != nil || len(all) != 2 || all[0].Name != "Eva" {
		t.Errorf("%+v %v", all, err)
	}
	now = now.Add(2 * time.Hour)
	if all, err := relay.List(); err != nil || len(all) != 1 {
		t.Errorf("an hour later: %+v %v", all, err)
	}
	file, err := os.ReadFile(filepath.Join(data, "invitations.jsonl"))
	if err != nil || strings.Contains(string(file), token[len(token)-40:]) {
		t.Errorf("the book holds a token: %v", err)
	}
	if strings.Count(string(file), "\n") != 3 {
		t.Errorf("%s", file)
	}
}

// A line that is half written is read when it is whole, and what is no entry is passed over.
func TestBookWithDamage(t *testing.T) {
	data := t.TempDir()
	b := Open(data, time.Now)
	add := func(text string) {
		f, err := os.OpenFile(filepath.Join(data, "invitations.jsonl"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	add("not JSON\n{}\n" + `{"id":"a","expires":"2999-01-01T00:00:00Z"}` + "\n" + `{"id":"a","withdr`)
	if b.Withdrawn("a") {
		t.Error("half a line counts")
	}
	add(`awn":"2026-01-01T00:00:00Z","by":"Ann"}` + "\n")
	if !b.Withdrawn("a") {
		t.Error("the whole line does not count")
	}
	add(`{"id":"b","expires":"2999-01-01T00:00:00Z"}` + "\n" + `{"id":"c","exp`) // the disk was full
	if i, err := b.Withdraw("b", "Ann"); err != nil || i.Withdrawn.IsZero() || !b.Withdrawn("b") {
		t.Errorf("withdrawn after half a line: %+v %v", i, err)
	}
}
