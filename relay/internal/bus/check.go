package bus

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Check says whether a NATS elsewhere answers, has JetStream, and as many servers as its replicas need. It changes
// nothing there. about is what it has found.
func Check(ctx context.Context, o Options) (about string, err error) {
	conn, err := o.connect("sightline doctor")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout/2)
	defer cancel()
	if _, err := js.AccountInfo(ctx); err != nil {
		return "", fmt.Errorf("JetStream of NATS: %w; start its servers with JetStream (nats-server -js), and more than half of them", err)
	}
	about = Redact(o.URL) + " answers, with JetStream, as one server: when it fails, every relay stands still"
	if name := conn.ConnectedClusterName(); name != "" {
		servers := len(conn.Servers())
		about = fmt.Sprintf("%s answers, with JetStream, as cluster %s of %d servers", Redact(o.URL), name, servers)
		if want := max(o.Replicas, clusterReplicas); o.Replicas != 1 && servers < want {
			err = fmt.Errorf("cluster %s has %d servers, and what is kept has %d replicas; add servers, or set nats-replicas", name, servers, want)
		}
	}
	return about, err
}
