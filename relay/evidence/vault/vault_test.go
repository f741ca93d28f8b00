package vault_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"sightline/relay/evidence"
	"sightline/relay/evidence/seal"
	"sightline/relay/evidence/vault"
	"sightline/relay/wire"
)

// An encrypted case is proven without its key, and read with it alone.
func TestVault(t *testing.T) {
	owner, err := age.GenerateX25519Identity()
	must(t, err)
	other, err := age.GenerateX25519Identity()
	must(t, err)
	to, err := vault.Recipients([]string{owner.Recipient().String()})
	must(t, err)
	keyFile, encrypt, err := vault.Lock(to)
	must(t, err)
	s, err := seal.Open(t.TempDir(), seal.Relay)
	must(t, err)
	dir, now := t.TempDir(), int64(1)
	w, err := evidence.Create(dir, evidence.WriterConfig{Seal: s, Encrypt: encrypt, Clock: func() (int64, time.Time) { now++; return now, time.UnixMicro(now) },
		About: evidence.About{Format: evidence.Format, ID: "c", Key: s.Key(), Encrypted: true}})
	must(t, err)
	must(t, w.Append(evidence.Chunk{File: evidence.KeyFile, Data: keyFile}))
	for i := range 3 {
		e := wire.Envelope{V: 1, Kind: wire.KindChat, Msg: "m", From: "p", Time: now, Seq: uint64(i + 1), Body: []byte(`{"text":"valve"}`)}
		data, err := e.Encode()
		must(t, err)
		must(t, w.Append(evidence.Chunk{File: evidence.LogFile, Data: append(data, '\n'), From: now, To: now, Items: 1}))
		must(t, w.Commit())
	}
	must(t, w.End(nil))
	if raw, _ := os.ReadFile(filepath.Join(dir, evidence.LogFile)); strings.Contains(string(raw), "valve") {
		t.Error("the log can be read")
	}
	r, err := evidence.Verify(dir, evidence.VerifyConfig{Key: s.Key()})
	if err != nil || !r.Proven || r.Messages != 0 {
		t.Errorf("without the key: %+v %v", r, err)
	}
	if _, err := evidence.Open(dir, nil); err == nil {
		t.Error("opened without the key")
	}
	if _, err := vault.Unlock(dir, strings.NewReader(other.String())); err == nil {
		t.Error("unlocked by somebody else")
	}
	decrypt, err := vault.Unlock(dir, strings.NewReader(owner.String()))
	must(t, err)
	if r, err := evidence.Verify(dir, evidence.VerifyConfig{Key: s.Key(), Decrypt: decrypt}); err != nil || !r.Proven || r.Messages != 3 {
		t.Errorf("with the key: %+v %v", r, err)
	}
	c, err := evidence.Open(dir, decrypt)
	must(t, err)
	defer c.Close()
	n := 0
	must(t, c.Log(func(e wire.Envelope) error {
		if n++; string(e.Body) != `{"text":"valve"}` {
			t.Errorf("%s", e.Body)
		}
		return nil
	}))
	if n != 3 {
		t.Errorf("%d messages", n)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
