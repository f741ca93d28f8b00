package udp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func socket(t testing.TB) *Conn { return sockets(t, 1) }

func sockets(t testing.TB, n int) *Conn { return socketsAt(t, net.IPv4(127, 0, 0, 1), n) }

func socketsAt(t testing.TB, ip net.IP, n int) *Conn {
	t.Helper()
	c, err := Listen(&net.UDPAddr{IP: ip}, n)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadBuffer(4 << 20)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// within fails where no datagram comes for five seconds.
func (c *Conn) within(b []byte) (int, netip.AddrPort, error) {
	late := time.AfterFunc(5*time.Second, func() { _ = c.Close() })
	defer late.Stop()
	return c.ReadFromAddrPort(b)
}

func at(c *Conn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

func rtp(size int, seq uint32) []byte {
	b := make([]byte, size)
	b[0], b[1] = 0x80, 96
	binary.BigEndian.PutUint32(b[2:], seq)
	return b
}

// Whatever the sizes, whoever the receivers, with segmentation and without, and where it begins to fail and is
// given up: everybody gets his packets, whole, once, and in their order.
func TestEverybodyGetsHisPackets(t *testing.T) {
	for _, ip := range []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback} {
		out := socketsAt(t, ip, 1)
		receivers := []*Conn{socketsAt(t, ip, 1), socketsAt(t, ip, 1), socketsAt(t, ip, 1)}
		able := out.segment.Load()
		rapid.Check(t, func(t *rapid.T) {
			out.segment.Store(able && rapid.Bool().Draw(t, "segment"))
			refuse(t, out, rapid.IntRange(0, 3).Draw(t, "refused") == 0)
			want := make([][]int, len(receivers))
			for seq := range rapid.IntRange(1, 200).Draw(t, "packets") {
				to := rapid.IntRange(0, len(receivers)-1).Draw(t, "to")
				size := rapid.SampledFrom([]int{12, 300, 1200, 1200, 1200, 1500}).Draw(t, "size")
				p := rtp(size, uint32(seq))
				if n, err := out.WriteToAddrPort(p, at(receivers[to])); n != size || err != nil {
					t.Fatal(n, err)
				}
				want[to] = append(want[to], seq<<16|size)
				switch rapid.IntRange(0, 30).Draw(t, "then") {
				case 0:
					out.Flush()
				case 1:
					refuse(t, out, true)
				}
			}
			out.Flush()
			buf := make([]byte, 2000)
			for i, r := range receivers {
				for _, w := range want[i] {
					n, from, err := r.within(buf)
					if err != nil || from != at(out) || n != w&0xffff || int(binary.BigEndian.Uint32(buf[2:])) != w>>16 {
						t.Fatalf("receiver %d: %d bytes, number %d, %v; want %d of %d", i, n, binary.BigEndian.Uint32(buf[2:]), err, w>>16, w&0xffff)
					}
				}
				if len(r.rest) > 0 {
					t.Fatalf("receiver %d: %d more", i, len(r.rest))
				}
			}
		})
		if s := out.Stats(); s.Calls >= s.Packets || s.Dropped > 0 {
			t.Errorf("%v: %+v", ip, s)
		}
	}
}

// refuse lets the kernel refuse to segment, or not: it does not do so without checksums.
func refuse(t interface{ Fatal(...any) }, c *Conn, so bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	const noCheck = 11 // SO_NO_CHECK
	value := 0
	if so {
		value = 1
	}
	if err := raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, noCheck, value) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A message that the kernel does not cut goes packet by packet; only where it goes on refusing is it not asked again.
func TestSegmentsAreRefused(t *testing.T) {
	out, in := socket(t), socket(t)
	if !out.segment.Load() {
		t.Skip("the kernel does not segment")
	}
	frame := func() {
		for i := range 3 {
			_, _ = out.WriteToAddrPort(rtp(100, uint32(i)), at(in))
		}
		out.Flush()
		for i := range 3 {
			buf := make([]byte, 200)
			if n, _, err := in.within(buf); n != 100 || err != nil || int(binary.BigEndian.Uint32(buf[2:])) != i {
				t.Fatal(i, n, err)
			}
		}
	}
	for i := range tooOften - 1 {
		refuse(t, out, true)
		frame()
		if out.refused != i+1 {
			t.Fatalf("refused %d times, of %d", out.refused, i+1)
		}
	}
	refuse(t, out, false)
	before := out.Stats().Calls
	if frame(); out.refused > 0 || out.Stats().Calls != before+1 {
		t.Errorf("%d refused, %d calls", out.refused, out.Stats().Calls-before)
	}
	refuse(t, out, true)
	for range tooOften {
		frame()
	}
	if out.segment.Load() {
		t.Error("the kernel is asked for ever")
	}
	if s := out.Stats(); s.Dropped > 0 {
		t.Errorf("%+v", s)
	}
}

// One socket for both families sends to both, and knows where each datagram came from.
func TestBothFamilies(t *testing.T) {
	both := socketsAt(t, nil, 1)
	port := at(both).Port()
	for _, ip := range []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback} {
		far := socketsAt(t, ip, 1)
		to := netip.AddrPortFrom(at(far).Addr(), port)
		for i := range 40 { // more than one call reads
			_, _ = far.WriteToAddrPort(rtp(100+i, uint32(i)), to)
		}
		far.Flush()
		buf := make([]byte, 200)
		for i := range 40 {
			n, from, err := both.within(buf)
			if n != 100+i || err != nil || unmapped(from) != at(far) || int(binary.BigEndian.Uint32(buf[2:])) != i {
				t.Fatal(i, n, from, err)
			}
			_, _ = both.WriteToAddrPort(buf[:n], unmapped(from))
		}
		both.Flush()
		for i := range 40 {
			if n, from, err := far.within(buf); n != 100+i || from != to || err != nil {
				t.Fatal(i, n, from, err)
			}
		}
	}
}

// Datagrams of every size come whole, however many wait.
func TestAllSizesAreRead(t *testing.T) {
	in := socket(t)
	far, err := net.DialUDP("udp", nil, in.LocalAddr().(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	sizes := []int{0, 1, 20, 1200, 1500, 9000, 60_000, 0, 65_507, 7}
	buf := make([]byte, maxPacket<<6)
	for k := range 200 {
		want := make([]byte, sizes[k%len(sizes)])
		for i := range want {
			want[i] = byte(i*7 + k)
		}
		if _, err := far.Write(want); err != nil {
			t.Fatal(err)
		}
		if k%40 != 39 {
			continue
		}
		for j := k - 39; j <= k; j++ {
			n, _, err := in.within(buf)
			if err != nil || n != sizes[j%len(sizes)] {
				t.Fatalf("datagram %d: %d bytes, %v; want %d", j, n, err, sizes[j%len(sizes)])
			}
			for i, b := range buf[:n] {
				if b != byte(i*7+j) {
					t.Fatalf("datagram %d differs at %d", j, i)
				}
			}
		}
	}
}

// A socket closes while it is read, though nobody takes what comes.
func TestCloseWithFullQueue(t *testing.T) {
	in, out := socket(t), socket(t)
	for i := range 2 * waiting {
		_, _ = out.UDPConn.WriteToUDPAddrPort(rtp(100, uint32(i)), at(in))
	}
	for deadline := time.Now().Add(5 * time.Second); len(in.rest) < waiting; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing came")
		}
	}
	closed := make(chan error, 1)
	go func() { closed <- in.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the socket does not close")
	}
}

type nothing struct{}

func (nothing) Take([]byte) bool { return true }

// Neither what sends nor what reads allocates.
func TestNoAllocations(t *testing.T) {
	out, in := socket(t), socket(t)
	in.Route(at(out), nothing{})
	p := rtp(1200, 1)
	to := at(in)
	frame := func() {
		for range 10 {
			_, _ = out.WriteToAddrPort(p, to)
		}
		out.Flush()
	}
	frame()
	if n := testing.AllocsPerRun(200, frame); n >= 1 {
		t.Errorf("%.0f allocations a frame", n)
	}
}

func TestWhatIsNotFlushedLeavesByItself(t *testing.T) {
	out, in := socket(t), socket(t)
	_, _ = out.WriteToAddrPort(rtp(100, 1), at(in))
	if n, _, err := in.within(make([]byte, 200)); n != 100 || err != nil {
		t.Fatal(n, err)
	}
}

func TestManySendersAtOnce(t *testing.T) {
	out, in := socket(t), socket(t)
	const senders, each = 8, 100
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				_, _ = out.WriteToAddrPort(rtp(200, uint32(s*each+i)), at(in))
				out.Flush()
			}
		})
	}
	last := map[int]int{}
	buf := make([]byte, 200)
	for n := range senders * each {
		if _, _, err := in.within(buf); err != nil {
			t.Fatalf("after %d: %v", n, err)
		}
		seq := int(binary.BigEndian.Uint32(buf[2:]))
		if seq%each != last[seq/each] {
			t.Fatalf("sender %d: %d after %d", seq/each, seq%each, last[seq/each])
		}
		last[seq/each]++
	}
	wg.Wait()
}

// A burst that the socket cannot take is bounded, and counted; nobody waits.
func TestABurstIsBounded(t *testing.T) {
	out, in := socket(t), socket(t)
	out.sending.Lock() // somebody is in a system call that takes its time
	for i := range maxBatch + 10 {
		_, _ = out.WriteToAddrPort(rtp(100, uint32(i)), at(in))
	}
	out.sending.Unlock()
	out.Flush()
	if s := out.Stats(); s.Packets != maxBatch || s.Dropped != 10 {
		t.Errorf("%+v", s)
	}
}

// No receiver's absence is another's.
func TestAnUnreachableReceiver(t *testing.T) {
	out, in := socket(t), socket(t)
	gone := netip.MustParseAddrPort("240.0.0.1:9")
	for i := range 3 {
		_, _ = out.WriteToAddrPort(rtp(100, 7), gone)
		_, _ = out.WriteToAddrPort(rtp(100, uint32(i)), at(in))
		out.Flush()
		if _, _, err := in.within(make([]byte, 200)); err != nil {
			t.Fatal(err)
		}
	}
}

// One frame of ten packets to eight receivers; the ceiling is no allocation.
func BenchmarkFrame(b *testing.B) {
	out := socket(b)
	var to []netip.AddrPort
	for range 8 {
		r, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			b.Fatal(err)
		}
		defer r.Close()
		to = append(to, r.LocalAddr().(*net.UDPAddr).AddrPort())
		go func() {
			for buf := make([]byte, 2000); ; {
				if _, _, err := r.ReadFromUDPAddrPort(buf); err != nil {
					return
				}
			}
		}()
	}
	p := rtp(1200, 1)
	send := func() {
		for range 10 {
			for _, a := range to {
				_, _ = out.WriteToAddrPort(p, a)
			}
		}
		out.Flush()
	}
	send()
	if n := testing.AllocsPerRun(100, send); n > 1 {
		b.Errorf("%.0f allocations a frame", n)
	}
	b.ReportAllocs()
	for b.Loop() {
		send()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*80), "ns/packet")
}

// takes is a Taker that counts, and leaves every tenth.
type takes struct {
	mu   sync.Mutex
	seqs []uint32
}

func (k *takes) Take(b []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seqs = append(k.seqs, binary.BigEndian.Uint32(b[2:]))
	return len(k.seqs)%10 != 0
}

// What comes from a far end goes to its taker, in order, whichever of the sockets it comes on, and what is left goes on;
// the sockets share an address with nobody else.
func TestTakers(t *testing.T) {
	c := sockets(t, 4)
	if other, err := net.ListenUDP("udp", c.LocalAddr().(*net.UDPAddr)); err == nil {
		_ = other.Close()
		t.Error("another program could take the address")
	}
	if _, err := Listen(c.LocalAddr().(*net.UDPAddr), 4); err == nil {
		t.Error("another relay could take the address")
	}
	const far, each = 16, 50
	var takers [far]takes
	for i := range takers {
		s := socket(t)
		c.Route(at(s), &takers[i])
		for seq := range each {
			if _, err := s.UDPConn.WriteToUDPAddrPort(rtp(100, uint32(seq)), at(c)); err != nil {
				t.Fatal(err)
			}
		}
		defer c.Unroute(at(s), &takers[i])
	}
	for range far * each / 10 {
		if _, _, err := c.within(make([]byte, 200)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range takers {
		takers[i].mu.Lock()
		for k, seq := range takers[i].seqs {
			if seq != uint32(k) {
				t.Fatalf("far end %d: number %d came as number %d", i, seq, k)
			}
		}
		takers[i].mu.Unlock()
	}
	s := socket(t)
	c.Route(at(s), &takers[0])
	c.Unroute(at(s), &takers[1]) // not its
	c.Unroute(at(s), &takers[0])
	before := len(takers[0].seqs)
	_, _ = s.UDPConn.WriteToUDPAddrPort(rtp(100, 1), at(c))
	if _, _, err := c.within(make([]byte, 200)); err != nil || len(takers[0].seqs) != before {
		t.Errorf("an unrouted datagram was taken, %v", err)
	}
}
