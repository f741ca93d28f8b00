package app

import (
	"fmt"
	"io"
	"os/user"
	"time"

	"sightline/relay/internal/audit"
	"sightline/relay/internal/auth"
)

type keys struct {
	List   keysIn   `cmd:"" help:"Print the keys; the last one signs, all verify."`
	Rotate keysIn   `cmd:"" help:"Make a new key, which signs from now on. A running relay takes it at once."`
	Remove keyInDir `cmd:"" help:"End a key, and with it every invitation that it has signed."`
}

type keysIn struct {
	Data string `required:"" type:"path" help:"The relay's directory."`
}

type keyInDir struct {
	Key  string `arg:"" help:"Its number, as list prints it."`
	Data string `required:"" type:"path" help:"The relay's directory."`
}

func (k keys) run(command string, stdout io.Writer) error {
	switch command {
	case "rotate":
		id, err := auth.KeysDir(k.Rotate.Data).Rotate()
		if err == nil {
			err = audit.Once(k.Rotate.Data, time.Now, audit.Event{What: audit.KeyRotated, By: "relay keys rotate, " + account(), Detail: "key " + id})
		}
		if err == nil {
			_, err = fmt.Fprintf(stdout, "key %s signs now\n", id)
		}
		return err
	case "remove":
		if err := auth.KeysDir(k.Remove.Data).Remove(k.Remove.Key); err != nil {
			return err
		}
		return audit.Once(k.Remove.Data, time.Now, audit.Event{What: audit.KeyRemoved, By: "relay keys remove, " + account(), Detail: "key " + k.Remove.Key})
	}
	all, err := auth.KeysDir(k.List.Data).Load()
	if err != nil {
		return err
	}
	for i, key := range all {
		use := "verifies"
		if i == len(all)-1 {
			use = "signs"
		}
		if _, err := fmt.Fprintln(stdout, key.ID, use); err != nil {
			return err
		}
	}
	return nil
}

// account is who runs a command on this machine.
func account() string {
	u, err := user.Current()
	if err != nil {
		return "account unknown"
	}
	return "account " + u.Username
}
