package bus

import (
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// How often the embedded NATS is looked after, and how much room its disk must have before it is started anew, in bytes.
const (
	lookEvery = time.Second
	room      = 4 << 20
)

// lookAfter starts JetStream of the embedded server anew where its disk was full: by itself it writes nothing more
// from then on, whatever room there is. It runs until Close.
func (b *Bus) lookAfter(dir string, log *slog.Logger) {
	defer close(b.looked)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for stuck := false; ; {
		select {
		case <-tick.C:
		case <-b.stop:
			return
		}
		health := b.embedded.Healthz(nil)
		if health.Error == "" {
			continue
		}
		if !stuck {
			log.Error("the log of the rooms cannot be written", "error", health.Error)
			stuck = true
		}
		if !hasRoom(dir) {
			continue
		}
		_ = b.embedded.ShutdownJetStream()
		if err := b.embedded.EnableJetStream(&server.JetStreamConfig{StoreDir: dir, SyncInterval: time.Second, Strict: true, CompressOK: true}); err != nil {
			log.Error("the log of the rooms cannot be opened again", "error", err)
			continue
		}
		log.Info("the log of the rooms is written again")
		stuck = false
	}
}

// hasRoom tries whether a disk takes something.
func hasRoom(dir string) bool {
	path := filepath.Join(dir, "room")
	err := os.WriteFile(path, make([]byte, room), 0o600)
	_ = os.Remove(path)
	return err == nil
}
