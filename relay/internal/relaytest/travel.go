package relaytest

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"

	"sightline/relay/client"
	"sightline/relay/wire"
)

// travelEnv makes a test binary be a participant whose network is not this process's: see Traveller.
const travelEnv = "SIGHTLINE_TEST_TRAVELLER"

// Itinerary is what such a participant is told on its standard input, in one line.
type Itinerary struct {
	URL, Token, Instance string
	Roots                string // PEM of the certificate that it believes
}

// Sight is what it says on its standard output, in one line each.
type Sight struct {
	What string `json:"what"` // picture, state, mark, track
	Text string `json:"text,omitempty"`
	Msg  string `json:"msg,omitempty"` // the message that a mark came in
}

// travel joins, sends a camera, tells what it sees, and draws a mark for every line that it reads.
func travel(in io.Reader, out io.Writer) int {
	lines := bufio.NewReader(in)
	var plan Itinerary
	line, err := lines.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &plan)
	}
	var mu sync.Mutex
	say := func(s Sight) {
		mu.Lock()
		defer mu.Unlock()
		if data, err := json.Marshal(s); err == nil {
			_, _ = out.Write(append(data, '\n'))
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(plan.Roots))
	camera, track := NewCamera()
	var c *client.Client
	if err == nil {
		c, err = client.Dial(context.Background(), client.Config{URL: plan.URL, Token: plan.Token, Instance: plan.Instance, Publish: []client.Track{track},
			HTTP:    &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}},
			Logger:  slog.New(slog.NewTextHandler(os.Stderr, nil)),
			OnState: func(s client.State, _ error) { say(Sight{What: "state", Text: string(s)}) },
			OnLog: func(e wire.Envelope) {
				if e.Kind == wire.KindMark {
					say(Sight{What: "mark", Text: e.ID, Msg: e.Msg})
				}
			},
			OnTrack: func(t *client.RemoteTrack) {
				say(Sight{What: "track", Text: t.Name})
				go func() {
					for {
						if _, err := t.ReadFrame(context.Background()); err != nil {
							return
						}
						say(Sight{What: "picture", Text: t.Name})
					}
				}()
			}})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	camera.Play(c.Video("camera"))
	for {
		id, err := lines.ReadString('\n')
		if err != nil { // the test is over
			c.Close()
			return 0
		}
		if _, err := c.Publish(wire.KindMark, strings.TrimSpace(id), 0, "drawn on the way"); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}
