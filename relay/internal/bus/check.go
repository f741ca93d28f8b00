package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Check says whether a NATS elsewhere answers and has JetStream. It changes nothing there.
func Check(ctx context.Context, url string) error {
	conn, err := nats.Connect(url, nats.Name("sightline doctor"), nats.Timeout(5*time.Second))
	if err != nil {
		return fmt.Errorf("connect to NATS: %w", err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout/2)
	defer cancel()
	if _, err := js.AccountInfo(ctx); err != nil {
		return fmt.Errorf("JetStream of NATS: %w", err)
	}
	return nil
}
