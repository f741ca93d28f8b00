// Command bench starts a relay and measures what it costs to forward: one publisher of 720p at 2.5 Mbit/s to
// many receivers, in many rooms. The receivers run on the same machine and share its cores. With --record it
// measures what it costs to record, beside forwarding alone.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"sightline/relay/internal/load"
)

type options struct {
	Relay string        `default:"bin/relay" type:"path" help:"The program."`
	For   time.Duration `default:"8s" help:"Measured time of each load."`
	Max   int           `default:"128" help:"Leave out loads with more receivers than this."`
	Bits  int           `default:"2500000" help:"Bits per second of each publisher."`

	Record   bool  `help:"Measure recording."`
	Sessions []int `default:"1,4,8,16" help:"With --record: how many rooms are recorded at once."`
}

func main() {
	var o options
	kong.Parse(&o)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if o.Record {
		if err := o.record(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	fmt.Println("rooms  subs  pkt/s  delivered  cpu/pkt us  p50 ms  p95 ms  p99 ms  pkt/call  alloc/pkt  kB/participant")
	for _, rooms := range []int{1, 4, 16} {
		for _, subs := range []int{1, 8, 32} {
			if rooms*subs > o.Max {
				fmt.Printf("%5d %5d  left out: the receivers alone would fill this machine\n", rooms, subs)
				continue
			}
			if err := o.measure(ctx, rooms, subs); err != nil {
				fmt.Fprintln(os.Stderr, "bench:", err)
				os.Exit(1)
			}
		}
	}
}

// figures are what the relay says of itself.
type figures struct{ cpu, allocs, memory, sent, calls float64 }

// relay is a relay that was started.
type relay struct {
	program, data, url string
	cmd                *exec.Cmd
}

// start starts a relay with a data directory of its own, which is the caller's to remove.
func (o options) start(ctx context.Context, args ...string) (*relay, error) {
	data, err := os.MkdirTemp("", "relay-bench-")
	if err != nil {
		return nil, err
	}
	r := &relay{program: o.Relay, data: data}
	r.cmd = exec.CommandContext(ctx, o.Relay, append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0",
		"--joins-per-minute", "0"}, args...)...)
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w; build it with make build", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || len(strings.Fields(line)) < 2 {
		r.stop()
		return nil, fmt.Errorf("the relay did not start: %q, %v", line, err)
	}
	r.url = strings.TrimPrefix(strings.Fields(line)[1], "url=")
	return r, nil
}

// stop ends the relay, which closes its cases.
func (r *relay) stop() {
	_ = r.cmd.Process.Signal(os.Interrupt)
	_ = r.cmd.Wait()
}

func (r *relay) token(room, role string) (string, error) {
	out, err := exec.Command(r.program, "invite", room, "--role", role, "--token-only", "--data", r.data).Output()
	return strings.TrimSpace(string(out)), err
}

func (o options) measure(ctx context.Context, rooms, subs int) error {
	relay, err := o.start(ctx)
	if err != nil {
		return err
	}
	defer os.RemoveAll(relay.data)
	defer relay.stop()
	url, token := relay.url, relay.token
	empty, err := read(url)
	if err != nil {
		return err
	}
	var from, to figures
	began := time.Now()
	res, err := load.Run(ctx, load.Config{URL: url, Token: token, Rooms: rooms, Subs: subs, For: o.For, Bits: o.Bits}, func(begins bool) {
		if begins {
			began = time.Now()
			from, err = read(url)
		} else {
			to, err = read(url)
		}
	})
	if err != nil {
		return err
	}
	wall, sent := time.Since(began).Seconds(), to.sent-from.sent
	ms := func(q float64) float64 { return float64(res.Delay(q).Microseconds()) / 1000 }
	fmt.Printf("%5d %5d %6.0f %10.4f %11.2f %7.2f %7.2f %7.2f %9.1f %10.2f %15.0f\n", rooms, subs, sent/wall,
		float64(res.Received)/float64(res.Sent*int64(subs)), (to.cpu-from.cpu)*1e6/sent, ms(.5), ms(.95), ms(.99),
		sent/(to.calls-from.calls), (to.allocs-from.allocs)/sent, (to.memory-empty.memory)/1024/float64(rooms*(subs+1)))
	return nil
}

// read takes the relay's figures from its metrics.
func read(url string) (f figures, err error) {
	resp, err := http.Get(url + "/metrics")
	if err != nil {
		return f, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return f, err
	}
	want := map[string]*float64{"process_cpu_seconds_total": &f.cpu, "go_memstats_mallocs_total": &f.allocs,
		"process_resident_memory_bytes": &f.memory, "sightline_udp_packets_sent_total": &f.sent, "sightline_udp_calls_total": &f.calls}
	for line := range strings.SplitSeq(string(text), "\n") {
		name, value, _ := strings.Cut(line, " ")
		if to := want[name]; to != nil {
			if *to, err = strconv.ParseFloat(value, 64); err != nil {
				return f, err
			}
		}
	}
	return f, nil
}
