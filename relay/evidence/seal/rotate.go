package seal

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"sightline/relay/evidence"
)

func readSuccessions(dir string) ([]string, error) {
	data, err := os.ReadFile(filepath.Join(dir, "successions"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []string
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("seal: successions: %w", err)
	}
	return all, nil
}

// Rotate makes a new key, which the old one hands over to: both sign that, and it is entered in the transparency log.
// Cases that begin afterwards are signed with the new key; those that are being recorded end with the old one. The old
// private key is then nowhere but in the memory of a relay that still uses it. A crash leaves the old key, or the new.
func (s *Seal) Rotate(now time.Time) (old, new string, err error) {
	was, err := s.current()
	if err != nil {
		return "", "", err
	}
	private, public, err := note.GenerateKey(rand.Reader, s.name)
	if err != nil {
		return "", "", err
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		return "", "", err
	}
	text := evidence.Succession{Old: was.public, New: public, UTC: now.UTC().Format(time.RFC3339)}.Text()
	signed, err := note.Sign(&note.Note{Text: text}, was.signer, signer)
	if err != nil {
		return "", "", err
	}
	if _, err := s.Enter(string(signed), 0); err != nil {
		return "", "", err
	}
	successions, err := json.Marshal(append(was.successions, string(signed)))
	if err != nil {
		return "", "", err
	}
	err = s.locked(func() error {
		// Whoever opens the seal between these finds two keys that do not belong together, and waits.
		return errors.Join(replace(filepath.Join(s.dir, "successions"), append(successions, '\n')),
			replaceSecret(filepath.Join(s.dir, "key"), []byte(private+"\n")),
			replace(filepath.Join(s.dir, "key.pub"), []byte(public+"\n")))
	})
	return was.public, public, err
}

// replaceSecret is replace for what only the relay may read.
func replaceSecret(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// publicOf is the public key of a private one, as note writes it.
func publicOf(successions []string, signer note.Signer) string {
	for i := len(successions) - 1; i >= 0; i-- {
		if s, err := evidence.OpenSuccession(successions[i]); err == nil {
			for _, k := range []string{s.New, s.Old} {
				if v, err := note.NewVerifier(k); err == nil && v.KeyHash() == signer.KeyHash() {
					return strings.TrimSpace(k)
				}
			}
		}
	}
	return ""
}
