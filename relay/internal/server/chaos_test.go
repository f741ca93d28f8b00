package server_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"sightline/relay/client"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
	"sightline/relay/wire"
)

// The disk that holds the room log is full for a while. Marks wait, people are told, and when there is room again all marks are
// in the log, each once.
func TestLogDiskFull(t *testing.T) {
	data := t.TempDir()
	mounted := filepath.Join(data, "nats")
	if err := os.Mkdir(mounted, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", mounted, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("a small disk cannot be mounted here (it takes root): %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(mounted, syscall.MNT_DETACH) })
	p := relaytest.StartProcess(t, data, "127.0.0.1:0")
	var log relaytest.Replica
	c := relaytest.Join(t, client.Config{URL: p.URL, Token: relaytest.Token(t, p.Authority(t), "expert", "Ann"), OnLog: log.Take})
	draw := func(name string) {
		t.Helper()
		if _, err := c.Publish(wire.KindMark, name, 0, map[string]string{"pad": fmt.Sprintf("%4000d", 0)}); err != nil {
			t.Fatal(err)
		}
	}
	draw("before")
	relaytest.Eventually(t, "the first mark is in the log", func() bool { return c.Pending() == 0 })
	fill(t, mounted)
	for i := range 50 {
		draw(fmt.Sprintf("during-%d", i))
	}
	relaytest.Eventually(t, "the relay's log says what is wrong", func() bool { return strings.Contains(p.Logged(), "no space left") })
	if n := c.Pending(); n < 25 {
		t.Errorf("%d marks wait: the disk was not full", n)
	}
	if err := os.Remove(filepath.Join(mounted, "filler")); err != nil {
		t.Fatal(err)
	}
	draw("after")
	relaytest.Within(t, 2*time.Minute, "nothing waits any more", func() bool { return c.Pending() == 0 })
	c.Close()
	var late relaytest.Replica
	relaytest.Join(t, client.Config{URL: p.URL, Token: relaytest.Token(t, p.Authority(t), "expert", "Bob"), OnLog: late.Take})
	relaytest.Eventually(t, "who comes later has all marks", func() bool { return len(late.State(wire.KindMark)) == 52 })
	row(t, "disk of the room log full", "marks wait with who drew them, and come into the log when there is room; 52 of 52, none twice",
		"the relay's log: no space left on device; written again")
}

// onlooker is a participant who watches a camera, and knows how long it stood still at most.
type onlooker struct {
	mu      sync.Mutex
	last    time.Time
	longest time.Duration
	frames  int
}

// beside begins a session with a camera that one watches, in the room hall.
func beside(t *testing.T, url string, a *auth.Authority) *onlooker {
	t.Helper()
	camera, track := relaytest.NewCamera()
	field := relaytest.Join(t, client.Config{URL: url, Instance: "tom", Token: relaytest.Token(t, a, "field", "Tom"), Publish: []client.Track{track}})
	camera.Play(field.Video("camera"))
	t.Cleanup(camera.Stop)
	tom, o := field.Self().ID, &onlooker{}
	relaytest.Join(t, client.Config{URL: url, Instance: "ann", Token: relaytest.Token(t, a, "expert", "Ann"), OnTrack: func(r *client.RemoteTrack) {
		if r.Participant == tom {
			go o.follow(t, r)
		}
	}})
	relaytest.Eventually(t, "the camera is seen", func() bool { frames, _ := o.saw(); return frames > 10 })
	return o
}

func (o *onlooker) follow(t *testing.T, r *client.RemoteTrack) {
	for {
		if _, err := r.ReadFrame(t.Context()); err != nil {
			return
		}
		o.mu.Lock()
		now := time.Now()
		if !o.last.IsZero() {
			o.longest = max(o.longest, now.Sub(o.last))
		}
		o.last = now
		o.frames++
		o.mu.Unlock()
	}
}

// saw returns how many pictures were seen, and how long they stood still at most, until now.
func (o *onlooker) saw() (frames int, longest time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last.IsZero() {
		return 0, 0
	}
	return o.frames, max(o.longest, time.Since(o.last))
}

// undisturbed wants the pictures to have gone on, and to go on. Short of seconds, the test's own cores may be at fault.
func (o *onlooker) undisturbed(t *testing.T) time.Duration {
	t.Helper()
	from, _ := o.saw()
	relaytest.Eventually(t, "pictures go on", func() bool { frames, _ := o.saw(); return frames > from+10 })
	_, longest := o.saw()
	if longest > 4*time.Second {
		t.Errorf("pictures stood still for %v", longest)
	}
	return longest
}

// A participant's process is killed. The room hears that the connection is interrupted within seconds, and that he is lost when
// he has had time to come back, and nobody else notices.
func TestPublisherIsKilled(t *testing.T) {
	p := relaytest.StartProcess(t, t.TempDir(), "127.0.0.1:0")
	a := p.Authority(t)
	o := beside(t, p.URL, a)
	var heard relaytest.Replica
	relaytest.Join(t, client.Config{URL: p.URL, Instance: "ear", Token: relaytest.Token(t, a, "viewer", "Ear"), OnLog: heard.Take})
	named := func() (eve wire.Participant) {
		for _, body := range heard.State(wire.KindParticipant) {
			var p wire.Participant
			if json.Unmarshal([]byte(body), &p) == nil && p.Name == "Eve" {
				eve = p
			}
		}
		return eve
	}
	kill := relaytest.StartPublisher(t, p.URL, relaytest.Token(t, a, "expert", "Eve"))
	relaytest.Eventually(t, "she is in the room", func() bool { return named().Online })
	time.Sleep(time.Second)
	killed := time.Now()
	kill()
	relaytest.Within(t, time.Minute, "the room hears that her connection is interrupted", func() bool { return named().Reason == wire.Interrupted })
	told := time.Since(killed)
	relaytest.Within(t, time.Minute, "the room hears that she is lost", func() bool { return !named().Online && named().Reason == "lost" })
	took := time.Since(killed)
	longest := o.undisturbed(t)
	row(t, "a publisher: kill -9", fmt.Sprintf("interrupted after %.1f s, lost to the room after %.1f s; others' pictures at most %.2f s apart", told.Seconds(), took.Seconds(), longest.Seconds()), "is lost")
}

// A participant's network goes silent: nobody closes the connection. The room hears of it within seconds.
func TestParticipantGoesSilent(t *testing.T) {
	signals, media := relaytest.NewNetwork(t), relaytest.NewNetwork(t)
	s := relaytest.Start(t, func(c *server.Config) { c.Advertise = media.Media() })
	signals.Lead(strings.TrimPrefix(s.URL(), "http://"), s.MediaPort())
	media.Lead(strings.TrimPrefix(s.URL(), "http://"), s.MediaPort())
	var log relaytest.Replica
	relaytest.Join(t, client.Config{URL: s.URL(), Instance: "ear", Token: relaytest.Token(t, s.Authority(), "viewer", "Ear"), OnLog: log.Take})
	media.Shape(relaytest.Link{}) // who joins from now on
	media.ShapeUp(relaytest.Link{})
	eve := relaytest.Join(t, client.Config{URL: signals.URL(), Instance: "eve", Token: relaytest.Token(t, s.Authority(), "field", "Eve")})
	relaytest.Eventually(t, "she is in the room", is(&log, eve.Self().ID, true, ""))
	time.Sleep(time.Second)
	silent := time.Now()
	signals.Pause(true)
	media.Shape(relaytest.Link{Loss: 1})
	media.ShapeUp(relaytest.Link{Loss: 1})
	relaytest.Within(t, 20*time.Second, "the room hears that her connection is interrupted", is(&log, eve.Self().ID, true, wire.Interrupted))
	row(t, "a participant's network goes silent", fmt.Sprintf("interrupted to the room after %.1f s", time.Since(silent).Seconds()), "is interrupted")
}

var joins = flag.Int("joins", 150, "how many join at once")

// Many join at once, from ten addresses with the limit as it is, and from one without a limit: all get in, and a call
// that is going on goes on.
func TestManyJoins(t *testing.T) {
	for name, c := range map[string]struct {
		args      []string
		addresses int
	}{"from ten addresses": {nil, 10}, "without a limit": {[]string{"--joins-per-minute", "0"}, 1}} {
		t.Run(name, func(t *testing.T) {
			p := relaytest.StartProcess(t, t.TempDir(), "127.0.0.1:0", c.args...)
			a := p.Authority(t)
			o := beside(t, p.URL, a)
			began := time.Now()
			in, refused := crowd(t, p, tokenFor(t, a, "flood"), c.addresses, *joins)
			took := time.Since(began)
			if in != *joins {
				t.Errorf("%d of %d joined, %d were refused", in, *joins, refused)
			}
			longest := o.undisturbed(t)
			row(t, fmt.Sprintf("%d joins in %.0f s, %s", in, took.Seconds(), name), fmt.Sprintf("all get in; a call's pictures at most %.2f s apart", longest.Seconds()), "")
		})
	}
}

// crowd joins from addresses 127.0.0.11 and on, eight at a time.
func crowd(t *testing.T, p *relaytest.Process, token string, addresses, many int) (in, refused int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var mu sync.Mutex
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := worker; i < many; i += 8 {
				dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(11+i%addresses))}}
				transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}
				ws, resp, err := websocket.Dial(ctx, p.URL+"/ws", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport},
					HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
				if err == nil {
					_, _, err = ws.Read(ctx) // the welcome
				}
				mu.Lock()
				switch {
				case err == nil:
					in++
				case resp != nil && resp.StatusCode == http.StatusTooManyRequests:
					refused++
				default:
					t.Errorf("%v", err)
				}
				mu.Unlock()
				if ws != nil {
					_ = ws.CloseNow()
				}
			}
		})
	}
	all.Wait()
	return in, refused
}

// Who opens a connection and then stalls is cut off in seconds, on each of its layers, and nobody else notices.
func TestStalls(t *testing.T) {
	cert, key, _ := relaytest.Certificate(t, x509.Certificate{})
	p := relaytest.StartProcess(t, t.TempDir(), "127.0.0.1:0")
	secure := relaytest.Start(t, func(c *server.Config) { c.TLSCert, c.TLSKey = cert, key })
	a := p.Authority(t)
	o := beside(t, p.URL, a)
	for name, c := range map[string]struct{ address, says string }{
		"TLS handshake":         {strings.TrimPrefix(secure.URL(), "https://"), "\x16\x03\x01\x02\x00\x01\x00\x01\xfc"},
		"ICE-TCP":               {p.Listen(), "\x00\x64\x00\x01\x00\x50\x21\x12\xa4\x42abcdefgh"},
		"TURN":                  {p.Listen(), "\x00\x03\x00\x24\x21\x12\xa4\x42abcd"},
		"header":                {p.Listen(), "GET /healthz HTTP/1.1\r\nHost: x\r\nX: "},
		"WebSocket never reads": {p.Listen(), "GET /ws?token=" + relaytest.Token(t, a, "viewer", "Eve") + " HTTP/1.1\r\nHost: " + p.Listen() + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", c.address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write([]byte(c.says)); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if name == "WebSocket never reads" {
				relaytest.Within(t, time.Minute, "the relay has cut it off", func() bool { return strings.Contains(p.Logged(), "name=Eve role") && lostEve(p.Logged()) })
			} else {
				_ = conn.SetReadDeadline(began.Add(time.Minute))
				for buf := make([]byte, 1024); err == nil; {
					_, err = conn.Read(buf)
				}
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal("still open after a minute")
				}
			}
			row(t, "stalls: "+name, fmt.Sprintf("cut off after %.0f s", time.Since(began).Seconds()), "")
		})
	}
	longest := o.undisturbed(t)
	t.Logf("pictures of a call were at most %v apart meanwhile", longest)
}

func lostEve(log string) bool {
	for line := range strings.Lines(log) {
		if strings.Contains(line, "msg=lost") && strings.Contains(line, "name=Eve") {
			return true
		}
	}
	return false
}

// Noise comes on every port: as STUN, DTLS, RTP, RTCP and TURN over UDP, as MQTT over TCP; and a publisher who was let in
// sends what is no picture, and RTCP that is none. The call that is going on goes on.
func TestNoise(t *testing.T) {
	s := relaytest.Start(t, nil)
	o := beside(t, s.URL(), s.Authority())
	r := rand.New(rand.NewPCG(5, 6))
	noise := func(head []byte, size int) []byte {
		b := make([]byte, max(size, len(head)))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		copy(b, head)
		return b
	}
	conn, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", s.MediaPort()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i := range 20_000 {
		head := [][]byte{{0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42}, {22, 254, 253}, {0x80, 96}, {0x80, 200}, {0x40, 0}, {}}[i%6]
		_, _ = conn.Write(noise(head, r.IntN(1400)))
	}
	for range 50 {
		broker, err := net.Dial("tcp", strings.TrimPrefix(s.MQTT(), "tcp://"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = broker.Write(noise([]byte{0x10}, 200))
		_ = broker.Close()
	}
	g := relaytest.NewGuest(t, relaytest.Token(t, s.Authority(), "expert", "Eve"))
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: 90000}, "video", "noise")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.PC.AddTrack(track); err != nil {
		t.Fatal(err)
	}
	g.Open(s.URL() + "/whip/hall")
	relaytest.Eventually(t, "the guest is connected", func() bool { return g.PC.ConnectionState() == webrtc.PeerConnectionStateConnected })
	for i := range 3000 {
		h := rtp.Header{Version: 2, SequenceNumber: uint16(r.Uint32()), Timestamp: r.Uint32(), Marker: r.IntN(2) == 0}
		if i < 1000 {
			h.SequenceNumber = uint16(i)
		}
		_ = h.SetExtension(uint8(1+r.IntN(14)), noise(nil, 1+r.IntN(15)))
		_ = track.WriteRTP(&rtp.Packet{Header: h, Payload: noise([]byte{byte(r.Uint32())}, r.IntN(1200))})
		raw := rtcp.RawPacket(noise([]byte{0x80 | byte(r.IntN(32)), byte(200 + r.IntN(8)), 0, byte(r.IntN(20))}, 4*(1+r.IntN(20))))
		_ = g.PC.WriteRTCP([]rtcp.Packet{&raw})
	}
	longest := o.undisturbed(t)
	if status, text := get(t, s.URL()+"/readyz", ""); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
	row(t, "noise as STUN, DTLS, RTP, RTCP, MQTT; and from who was let in", fmt.Sprintf("a call's pictures at most %.2f s apart", longest.Seconds()), "")
}

// fill fills the disk that a folder is on, with a file "filler" in it.
func fill(t *testing.T, folder string) {
	t.Helper()
	f, err := os.Create(filepath.Join(folder, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
}
