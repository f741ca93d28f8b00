package server_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	"sightline/relay/client"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/relaytest"
	"sightline/relay/wire"
)

var nineFor = flag.Duration("nine", 15*time.Second, "how long nine people are in a room")

// Nine people send camera and microphone: seven with the client, two of them a second picture too, and two with WHIP
// in three sizes, who watch with WHEP, one over a link that loses six of ten packets. All packets are accounted for, the one's trouble is
// not another's, memory stays flat, and nothing is left running.
func TestNine(t *testing.T) {
	p := relaytest.StartProcess(t, t.TempDir(), "127.0.0.1:0", "--joins-per-minute", "0")
	n := &nine{t: t, p: p, authority: p.Authority(t), parties: map[string]*party{}}
	time.Sleep(5 * time.Second) // until all that starts with the relay has started
	before := n.settled()
	ctx, stop := context.WithCancel(t.Context())
	for i := range 7 {
		n.joins(ctx, i, i < 2)
	}
	for i := 7; i < 9; i++ {
		n.sends(ctx, i)
		n.watches(i, i == 8)
	}
	relaytest.Within(t, time.Minute, "everybody gets all pictures and sounds", func() bool { return n.flowing() })

	from := n.balance(nil)
	memory := n.remember(*nineFor)
	to := n.balance(from)
	n.report(from, to, memory)

	stop()
	n.tasks.Wait()
	n.leave()
	after := n.settled()
	t.Logf("goroutines of the relay: %d before, %d after", before, after)
	if after > before {
		t.Errorf("%d goroutines are left", after-before)
	}
}

// nine is the room and who is in it.
type nine struct {
	t         *testing.T
	p         *relaytest.Process
	authority *auth.Authority
	tasks     sync.WaitGroup
	paused    atomic.Bool
	clients   []*client.Client
	guests    []*relaytest.Guest

	mu      sync.Mutex
	parties map[string]*party // by participant
}

// party counts what one participant sends and gets, packets.
type party struct {
	name     string
	sent     func() int64
	got      func() (came, lost int64)
	streams  func() int
	troubled bool
}

func (n *nine) token(role, name string) string {
	n.t.Helper()
	token, err := n.authority.Sign(auth.Grant{Room: "hall", Role: role, Name: name}, time.Hour)
	if err != nil {
		n.t.Fatal(err)
	}
	return token
}

// play calls write so many times a second, until ctx ends, but not while it is paused.
func (n *nine) play(ctx context.Context, every time.Duration, write func(i int)) {
	n.tasks.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for i := 0; ; {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			if !n.paused.Load() {
				write(i)
				i++
			}
		}
	})
}

const picturesEvery, soundEvery = time.Second / 15, 20 * time.Millisecond

// joins brings a participant in with the client.
func (n *nine) joins(ctx context.Context, i int, second bool) {
	role := map[bool]string{true: auth.Field, false: auth.Expert}[i == 0]
	tracks := []client.Track{{Name: "camera", Kind: wire.Video}, {Name: "microphone", Kind: wire.Audio}}
	if second {
		tracks = append(tracks, client.Track{Name: "screen", Kind: wire.Video})
	}
	var mu sync.Mutex
	var remote []*client.RemoteTrack
	c := relaytest.Join(n.t, client.Config{URL: n.p.URL, Token: n.token(role, fmt.Sprintf("P%d", i)), Publish: tracks,
		OnTrack: func(r *client.RemoteTrack) {
			mu.Lock()
			remote = append(remote, r)
			mu.Unlock()
			go func() {
				for {
					if _, err := r.ReadFrame(n.t.Context()); err != nil {
						return
					}
				}
			}()
		}})
	film := relaytest.Film()
	var sending []*client.LocalTrack
	for _, track := range tracks {
		if track.Kind == wire.Audio {
			l := c.Audio(track.Name)
			sending = append(sending, l)
			n.play(ctx, soundEvery, func(int) { _ = l.WriteOpus(make([]byte, 80), time.Now().UnixMicro(), soundEvery) })
			continue
		}
		l := c.Video(track.Name)
		sending = append(sending, l)
		n.play(ctx, picturesEvery, func(i int) { _ = l.WriteFrame(film[i%len(film)], time.Now().UnixMicro()) })
	}
	n.clients = append(n.clients, c)
	n.enter(c.Self().ID, &party{name: fmt.Sprintf("P%d", i), sent: func() (all int64) {
		for _, l := range sending {
			all += int64(l.Stats().Packets)
		}
		return all
	}, got: func() (came, lost int64) {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range remote {
			s := r.Stats()
			came, lost = came+s.Packets, lost+s.Lost
		}
		return came, lost
	}, streams: func() (live int) {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range remote {
			if r.Stats().Frames > 5 {
				live++
			}
		}
		return live
	}})
}

func (n *nine) enter(id string, p *party) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.parties[id] = p
}

// sends brings a participant in with WHIP: a picture in three sizes, and sound.
func (n *nine) sends(ctx context.Context, i int) {
	n.t.Helper()
	g := relaytest.NewGuest(n.t, n.token(auth.Expert, fmt.Sprintf("P%d", i)))
	n.guests = append(n.guests, g)
	var layers []*webrtc.TrackLocalStaticRTP
	var sender *webrtc.RTPSender
	for k, rid := range []string{"h", "m", "l"} {
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}, "video", "web", webrtc.WithRTPStreamID(rid))
		if err == nil && k == 0 {
			sender, err = g.PC.AddTrack(track)
		} else if err == nil {
			err = sender.AddEncoding(track)
		}
		if err != nil {
			n.t.Fatal(err)
		}
		layers = append(layers, track)
	}
	sound, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "audio", "web")
	if err != nil {
		n.t.Fatal(err)
	}
	if _, err := g.PC.AddTrack(sound); err != nil {
		n.t.Fatal(err)
	}
	g.Open(n.p.URL + "/whip/hall")
	relaytest.Eventually(n.t, "the guest is connected", func() bool { return g.PC.ConnectionState() == webrtc.PeerConnectionStateConnected })
	for _, s := range g.PC.GetSenders() {
		go func() { // pion acts on what comes when it is read
			for {
				if _, _, err := s.ReadRTCP(); err != nil {
					return
				}
			}
		}()
	}
	var sent atomic.Int64
	mid := g.PC.GetTransceivers()[0].Mid()
	number := map[string]uint8{}
	for _, e := range sender.GetParameters().HeaderExtensions {
		number[e.URI] = uint8(e.ID)
	}
	for k, track := range layers {
		var seq uint16
		payloader := &codecs.VP8Payloader{}
		n.play(ctx, picturesEvery, func(i int) {
			parts := payloader.Payload(1150, frameVP8(i%15 == 0, 320>>k, 2000>>k))
			for j, part := range parts {
				h := rtp.Header{Version: 2, Marker: j == len(parts)-1, SequenceNumber: seq, Timestamp: uint32(i) * 6000}
				_ = h.SetExtension(number["urn:ietf:params:rtp-hdrext:sdes:mid"], []byte(mid))
				_ = h.SetExtension(number["urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"], []byte(track.RID()))
				if track.WriteRTP(&rtp.Packet{Header: h, Payload: part}) == nil {
					sent.Add(1)
				}
				seq++
			}
		})
	}
	n.play(ctx, soundEvery, func(i int) {
		if sound.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: uint16(i), Timestamp: uint32(i) * 960}, Payload: make([]byte, 80)}) == nil {
			sent.Add(1)
		}
	})
	n.enter(n.who(fmt.Sprintf("P%d", i)), &party{name: fmt.Sprintf("P%d sends", i), sent: sent.Load})
}

// frameVP8 is a frame of a size that no decoder looks at but for its head (RFC 6386, section 9.1).
func frameVP8(key bool, width, size int) []byte {
	f := make([]byte, size)
	if f[0] = 0x11; key {
		copy(f, []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, byte(width), byte(width >> 8), byte(width * 3 / 4), byte(width * 3 / 4 >> 8)})
	}
	return f
}

// watches brings one in with WHEP, over a link that loses most where it is a poor one.
func (n *nine) watches(i int, poor bool) {
	n.t.Helper()
	name := fmt.Sprintf("W%d", i)
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		n.t.Fatal(err)
	}
	mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: &losing{conn, poor}})
	n.t.Cleanup(func() { _ = mux.Close() })
	settings.SetICEUDPMux(mux)
	g := relaytest.NewGuestOver(n.t, n.token(auth.Viewer, name), settings, webrtc.Configuration{})
	n.guests = append(n.guests, g)
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
		if _, err := g.PC.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			n.t.Fatal(err)
		}
	}
	var mu sync.Mutex
	var all []*arrivals
	g.PC.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		a := &arrivals{seen: map[uint32]bool{}}
		mu.Lock()
		all = append(all, a)
		mu.Unlock()
		for buf := make([]byte, 1500); ; {
			k, _, err := t.Read(buf)
			if err != nil {
				return
			}
			var h rtp.Header
			if _, err := h.Unmarshal(buf[:k]); err == nil {
				a.take(h.SequenceNumber)
			}
		}
	})
	g.Open(n.p.URL + "/whep/hall")
	relaytest.Eventually(n.t, "the watcher is connected", func() bool { return g.PC.ConnectionState() == webrtc.PeerConnectionStateConnected })
	n.enter(n.who(name), &party{name: name, troubled: poor, got: func() (came, lost int64) {
		mu.Lock()
		defer mu.Unlock()
		for _, a := range all {
			c, l := a.count()
			came, lost = came+c, lost+l
		}
		return came, lost
	}, streams: func() int { mu.Lock(); defer mu.Unlock(); return len(all) }})
}

// losing is a socket that loses six of ten packets of media that come.
type losing struct {
	*net.UDPConn
	poor bool
}

func (l *losing) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := l.UDPConn.ReadFrom(b)
		if err != nil || !l.poor || n == 0 || b[0]>>6 != 2 || rand.Float64() > 0.6 {
			return n, from, err
		}
	}
}

// arrivals counts the packets of a stream, each once.
type arrivals struct {
	mu      sync.Mutex
	seen    map[uint32]bool
	first   uint32
	highest uint32
}

func (a *arrivals) take(seq uint16) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.seen) == 0 {
		a.first, a.highest = uint32(seq)|1<<16, uint32(seq)|1<<16
	}
	full := a.highest + uint32(int32(int16(seq-uint16(a.highest))))
	a.seen[full], a.highest = true, max(a.highest, full)
}

func (a *arrivals) count() (came, lost int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.seen) == 0 {
		return 0, 0
	}
	came = int64(len(a.seen))
	return came, int64(a.highest-a.first) + 1 - came
}

// who returns the ID of the participant of a name, once it is in the room.
func (n *nine) who(name string) (id string) {
	n.t.Helper()
	token := n.staff()
	relaytest.Eventually(n.t, name+" is in the room", func() bool {
		var room struct {
			Participants []wire.Participant `json:"participants"`
		}
		if _, text := get(n.t, n.p.URL+"/api/v1/rooms/hall", token); json.Unmarshal([]byte(text), &room) != nil {
			return false
		}
		for _, p := range room.Participants {
			if p.Name == name {
				id = p.ID
			}
		}
		return id != ""
	})
	return id
}

func (n *nine) staff() string {
	n.t.Helper()
	token, err := n.authority.Sign(auth.Grant{Room: "*", Role: auth.Viewer, Name: "Staff", Staff: true, Rights: []string{auth.Moderate}}, time.Hour)
	if err != nil {
		n.t.Fatal(err)
	}
	return token
}

// flowing says whether every client gets ten pictures and eight sounds or more, and every watcher its two tracks.
func (n *nine) flowing() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.parties {
		if p.streams == nil {
			continue
		}
		want := 18 // 11 cameras and screens and 9 microphones, without one's own
		if strings.HasPrefix(p.name, "P") && (p.name == "P0" || p.name == "P1") {
			want = 17
		} else if strings.HasPrefix(p.name, "W") {
			want = 2
		}
		if p.streams() < want {
			return false
		}
	}
	return true
}

// account is what was counted, by participant.
type account struct {
	sent, received, lost, late              map[string]int64 // what it sends: by itself, and by the relay
	given, skipped, failed, repeated, again map[string]int64 // what it is given, by the relay
	came, missed                            map[string]int64 // by itself
	udpSent, udpDropped                     float64
}

// balance lets nobody send for a moment, in which all that is on its way comes, and counts. Where packets are lost
// at the very end, nobody knows yet: then it lets them send on for a second, and tries again.
func (n *nine) balance(from *account) *account {
	defer n.paused.Store(false)
	for try := 0; ; try++ {
		n.paused.Store(true)
		time.Sleep(1500 * time.Millisecond)
		a := n.count()
		if from == nil || try == 4 || n.off(from, a) == "" {
			return a
		}
		n.paused.Store(false)
		time.Sleep(time.Second)
	}
}

func (n *nine) count() *account {
	a := &account{sent: map[string]int64{}, came: map[string]int64{}, missed: map[string]int64{}}
	m := n.metrics()
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, p := range n.parties {
		if p.sent != nil {
			a.sent[id] = p.sent()
		}
		if p.got != nil {
			a.came[id], a.missed[id] = p.got()
		}
	}
	a.received, a.lost, a.late = m.by("track_packets_received_total"), m.by("track_packets_lost_total"), m.by("track_packets_late_total")
	a.given, a.skipped, a.failed = m.by("participant_packets_sent_total"), m.by("participant_packets_skipped_total"), m.by("participant_packets_failed_total")
	a.repeated, a.again = m.by("participant_packets_repeated_total"), m.by("participant_packets_again_total")
	a.udpSent, a.udpDropped = m["sightline_udp_packets_sent_total"], m["sightline_udp_packets_dropped_total"]
	return a
}

// off says in words what is not accounted for between two accounts.
func (n *nine) off(from, to *account) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var wrong []string
	written := int64(0)
	for id, p := range n.parties {
		d := func(m func(*account) map[string]int64) int64 { return m(to)[id] - m(from)[id] }
		given, again := d(func(a *account) map[string]int64 { return a.given }), d(func(a *account) map[string]int64 { return a.again })
		repeated := d(func(a *account) map[string]int64 { return a.repeated })
		written += given + again + repeated
		if p.sent != nil {
			sent, received, lost := d(func(a *account) map[string]int64 { return a.sent }), d(func(a *account) map[string]int64 { return a.received }), d(func(a *account) map[string]int64 { return a.lost })
			if sent != received+lost || sent == 0 {
				wrong = append(wrong, fmt.Sprintf("%s has sent %d: the relay has received %d and lost %d", p.name, sent, received, lost))
			}
		}
		if p.got != nil {
			came, missed := d(func(a *account) map[string]int64 { return a.came }), d(func(a *account) map[string]int64 { return a.missed })
			// What was sent again may have come twice; what was lost may have been lost before the first count.
			if slack := again + missed; came+missed < given+repeated-slack || came+missed > given+repeated+slack || given == 0 {
				wrong = append(wrong, fmt.Sprintf("%s was sent %d, %d of what was kept, and %d again: %d came and %d are missing", p.name, given, repeated, again, came, missed))
			}
		}
	}
	if udp := int64(to.udpSent + to.udpDropped - from.udpSent - from.udpDropped); udp != written {
		wrong = append(wrong, fmt.Sprintf("%d packets were written, %d went to the socket", written, udp))
	}
	return strings.Join(wrong, "\n")
}

// sample is the memory of the relay at a time.
type sample struct{ seconds, resident, heap float64 }

// remember looks at the relay's memory until so much time is over.
func (n *nine) remember(d time.Duration) (all []sample) {
	every := max(d/120, time.Second/2)
	for began := time.Now(); time.Since(began) < d; time.Sleep(every) {
		m := n.metrics()
		all = append(all, sample{time.Since(began).Seconds(), m["process_resident_memory_bytes"] / 1e6, m["go_memstats_heap_inuse_bytes"] / 1e6})
	}
	return all
}

// slope fits a line to the last two thirds, and returns how it rises a minute.
func slope(all []sample, of func(sample) float64) float64 {
	all = all[len(all)/3:]
	var x, y, xx, xy float64
	for _, s := range all {
		x, y, xx, xy = x+s.seconds, y+of(s), xx+s.seconds*s.seconds, xy+s.seconds*of(s)
	}
	k := float64(len(all))
	if rise := 60 * (k*xy - x*y) / (k*xx - x*x); !math.IsNaN(rise) {
		return rise
	}
	return 0
}

func (n *nine) report(from, to *account, memory []sample) {
	if wrong := n.off(from, to); wrong != "" {
		n.t.Error(wrong)
	}
	var all [9]int64
	for id, p := range n.parties {
		given, skipped := to.given[id]-from.given[id], to.skipped[id]-from.skipped[id]
		for i, m := range []func(*account) map[string]int64{func(a *account) map[string]int64 { return a.sent }, func(a *account) map[string]int64 { return a.received },
			func(a *account) map[string]int64 { return a.lost }, func(a *account) map[string]int64 { return a.given }, func(a *account) map[string]int64 { return a.skipped },
			func(a *account) map[string]int64 { return a.repeated }, func(a *account) map[string]int64 { return a.again }, func(a *account) map[string]int64 { return a.came }, func(a *account) map[string]int64 { return a.missed }} {
			all[i] += m(to)[id] - m(from)[id]
		}
		if p.got != nil && !p.troubled && skipped*5 > given {
			n.t.Errorf("%s was sent %d packets, and %d were skipped, though its link is good", p.name, given, skipped)
		}
		if p.troubled && to.missed[id] == from.missed[id] && skipped == 0 {
			n.t.Errorf("%s was to have trouble, and had none", p.name)
		}
	}
	n.t.Logf("publishers sent %d packets: %d received, %d lost", all[0], all[1], all[2])
	n.t.Logf("receivers: %d sent, %d skipped, %d of what was kept, %d again, %.0f let go at the socket: %d came, %d missing", all[3], all[4], all[5], all[6], to.udpDropped-from.udpDropped, all[7], all[8])
	resident := slope(memory, func(s sample) float64 { return s.resident })
	heap := slope(memory, func(s sample) float64 { return s.heap })
	n.t.Logf("memory: %.0f MB at first, %.0f MB at the end; it rises by %.2f MB a minute, its heap by %.2f", memory[0].resident, memory[len(memory)-1].resident, resident, heap)
	if *nineFor >= 5*time.Minute && resident > 1 {
		n.t.Errorf("memory rises by %.2f MB a minute", resident)
	}
}

func (n *nine) leave() {
	for _, c := range n.clients {
		c.Close()
	}
	for _, g := range n.guests {
		_, _ = g.Ask(http.MethodDelete, g.Resource, "", "", "")
		_ = g.PC.GracefulClose()
	}
}

// settled waits until no room is open, and returns how many goroutines the relay has then.
func (n *nine) settled() int {
	n.t.Helper()
	least, since := math.MaxInt, time.Now()
	relaytest.Within(n.t, time.Minute, "the relay is quiet", func() bool {
		http.DefaultClient.CloseIdleConnections()
		m := n.metrics()
		if m["sightline_rooms"] > 0 {
			since = time.Now()
			return false
		}
		if now := int(m["go_goroutines"]); now < least {
			least, since = now, time.Now()
		}
		time.Sleep(100 * time.Millisecond)
		return time.Since(since) > 3*time.Second
	})
	return least
}

// metrics are the relay's figures, by name and labels.
type metrics map[string]float64

func (n *nine) metrics() metrics {
	n.t.Helper()
	quiet := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := quiet.Get(n.p.URL + "/metrics")
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	all := metrics{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			all[name] = v
		}
	}
	return all
}

// by adds up a figure by participant.
func (m metrics) by(name string) map[string]int64 {
	out := map[string]int64{}
	for key, v := range m {
		if rest, ok := strings.CutPrefix(key, "sightline_"+name+"{"); ok {
			_, id, _ := strings.Cut(rest, `participant="`)
			id, _, _ = strings.Cut(id, `"`)
			out[id] += int64(v)
		}
	}
	return out
}
