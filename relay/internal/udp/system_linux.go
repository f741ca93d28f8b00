package udp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// The calls here do not block, or for a moment only (inFrame), and are therefore made without telling the runtime
// (RawSyscall6): each call that it is told of wakes its monitor from sleep, a thread that then looks on every 20 µs until
// all rests, and with packets that come one at a time that is a fifth of what the relay costs.

// atOnce is how many datagrams are read with one call, of up to maxDatagram bytes each.
const (
	atOnce      = 16
	maxDatagram = 64 << 10
)

// message is struct mmsghdr.
type message struct {
	unix.Msghdr
	size uint32
}

// outbox writes to a socket.
type outbox struct {
	conn     syscall.RawConn
	six      bool // an IPv6 socket, for which an IPv4 address is mapped
	messages []message
	buffers  []unix.Iovec
	names    []unix.RawSockaddrInet6 // of which the shorter one for IPv4 takes a part
	call     func(fd uintptr) bool   // allocated once
	sent     int
	failed   syscall.Errno
}

func newWriter(conn *net.UDPConn) (writer, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	family := 0
	var failed error
	if err := raw.Control(func(fd uintptr) { family, failed = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN) }); err != nil || failed != nil {
		return nil, errors.Join(err, failed)
	}
	o := &outbox{conn: raw, six: family == unix.AF_INET6}
	o.call = o.send
	return o, nil
}

func (o *outbox) WriteBatch(ms []ipv4.Message, _ int) (int, error) {
	if len(ms) == 0 {
		return 0, nil
	}
	o.pack(ms)
	if err := o.conn.Write(o.call); err != nil {
		return 0, err
	}
	if o.failed != 0 {
		return 0, os.NewSyscallError("sendmmsg", o.failed)
	}
	return o.sent, nil
}

// send says whether the kernel has taken messages, or never will.
func (o *outbox) send(fd uintptr) bool {
	for {
		n, _, err := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&o.messages[0])), uintptr(len(o.messages)), 0, 0, 0)
		if err == unix.EINTR {
			continue
		}
		o.sent, o.failed = int(n), err
		return err != unix.EAGAIN
	}
}

func (o *outbox) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	name := new(unix.RawSockaddrInet6)
	size := o.name(name, net.UDPAddrFromAddrPort(to))
	var failed syscall.Errno
	err := o.conn.Write(func(fd uintptr) (done bool) {
		for {
			_, _, failed = unix.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0,
				uintptr(unsafe.Pointer(name)), uintptr(size))
			if failed != unix.EINTR {
				return failed != unix.EAGAIN
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case failed != 0:
		return 0, os.NewSyscallError("sendto", failed)
	}
	return len(b), nil
}

// pack writes messages as the kernel reads them. Nothing is copied but addresses.
func (o *outbox) pack(ms []ipv4.Message) {
	buffers := 0
	for _, m := range ms {
		buffers += len(m.Buffers)
	}
	o.messages, o.names = resized(o.messages, len(ms)), resized(o.names, len(ms))
	o.buffers = resized(o.buffers, buffers)
	rest := o.buffers
	for i, m := range ms {
		for k, b := range m.Buffers {
			rest[k].Base = unsafe.SliceData(b)
			rest[k].SetLen(len(b))
		}
		h := &o.messages[i].Msghdr
		*h = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&o.names[i])), Namelen: o.name(&o.names[i], m.Addr.(*net.UDPAddr)),
			Iov: unsafe.SliceData(rest)}
		h.SetIovlen(len(m.Buffers))
		if len(m.OOB) > 0 {
			h.Control = unsafe.SliceData(m.OOB)
			h.SetControllen(len(m.OOB))
		}
		rest = rest[len(m.Buffers):]
	}
}

func resized[T any](s []T, n int) []T {
	if n > cap(s) {
		return make([]T, n)
	}
	return s[:n]
}

// name writes an address, and returns its length.
func (o *outbox) name(to *unix.RawSockaddrInet6, a *net.UDPAddr) uint32 {
	if four := a.IP.To4(); four != nil && !o.six {
		n := (*unix.RawSockaddrInet4)(unsafe.Pointer(to))
		*n = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: swapped(uint16(a.Port)), Addr: [4]byte(four)}
		return unix.SizeofSockaddrInet4
	}
	*to = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: swapped(uint16(a.Port)), Scope_id: scope(a.Zone)}
	copy(to.Addr[:], a.IP.To16())
	return unix.SizeofSockaddrInet6
}

// scope returns the number of a network interface, which an address of its own link goes by.
func scope(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	n, _ := strconv.ParseUint(zone, 10, 32)
	return uint32(n)
}

// swapped turns a port between this machine's order of bytes and the network's.
func swapped(port uint16) uint16 {
	b := [2]byte{byte(port >> 8), byte(port)}
	return *(*uint16)(unsafe.Pointer(&b))
}

// inbox reads a socket, on the goroutine that calls receive.
type inbox struct {
	messages [atOnce]message
	buffers  [atOnce]unix.Iovec
	names    [atOnce]unix.RawSockaddrInet6
	data     [atOnce][]byte
	zones    map[uint32]string
}

// receive gives c each datagram that comes, until it wants no more or the socket is closed.
func receive(s *net.UDPConn, c *Conn) {
	raw, err := s.SyscallConn()
	if err != nil {
		return
	}
	in := &inbox{zones: map[uint32]string{}}
	for i := range in.messages {
		in.data[i] = make([]byte, maxDatagram)
		in.buffers[i].Base = unsafe.SliceData(in.data[i])
		in.buffers[i].SetLen(maxDatagram)
		in.messages[i].Iov, in.messages[i].Name = &in.buffers[i], (*byte)(unsafe.Pointer(&in.names[i]))
		in.messages[i].SetIovlen(1)
	}
	begun, more := false, true
	read := func(fd uintptr) (done bool) {
		n := in.read(fd)
		if n > 0 && !begun {
			c.begin()
			begun = true
		}
		for i := 0; i < n && more; i++ {
			more = c.take(in.data[i][:in.messages[i].size], in.from(i))
		}
		if n < atOnce && more && begun && inFrame(fd, c) {
			return true
		}
		if begun && n < atOnce { // nothing is left
			c.end()
			begun = false
		}
		return !more || n == atOnce || n < 0 // else it is called again when something has come
	}
	for more {
		if err := raw.Read(read); err != nil {
			break
		}
	}
	if begun {
		c.end()
	}
}

// inFrame waits for the rest of a frame, whose packets come one by one, when some of it waits to be sent, and says whether
// something has come. It does not leave the thread, for to be put to sleep and woken by the runtime each time costs more
// than the packet; nor does it wait for longer than packets of a frame are apart, for nobody else can use its processor.
func inFrame(fd uintptr, c *Conn) bool {
	left, waiting := c.patience()
	if !waiting {
		return false
	}
	wanted := unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	timeout := unix.NsecToTimespec(int64(min(left, apart)))
	n, _, err := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&wanted)), 1, uintptr(unsafe.Pointer(&timeout)), 0, 0, 0)
	if err == 0 && n == 0 {
		if left <= apart {
			c.Flush()
		}
		return false
	}
	return true
}

// apart is how far apart packets of a frame are that was sent at once.
const apart = 200 * time.Microsecond

// read returns how many datagrams have come; less than 0 where that failed.
func (in *inbox) read(fd uintptr) int {
	for i := range in.messages {
		in.messages[i].Namelen = unix.SizeofSockaddrInet6
	}
	n, _, err := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&in.messages[0])), atOnce, unix.MSG_DONTWAIT, 0, 0)
	switch err {
	case 0:
		return int(n)
	case unix.EAGAIN:
		return 0
	default:
		return -1
	}
}

// from returns the address that a datagram came from.
func (in *inbox) from(i int) netip.AddrPort {
	n := &in.names[i]
	if n.Family == unix.AF_INET {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(n))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), swapped(four.Port))
	}
	a := netip.AddrFrom16(n.Addr)
	if n.Scope_id != 0 {
		a = a.WithZone(in.zone(n.Scope_id))
	}
	return netip.AddrPortFrom(a, swapped(n.Port))
}

func (in *inbox) zone(id uint32) string {
	z, known := in.zones[id]
	if !known {
		z = strconv.FormatUint(uint64(id), 10)
		if i, err := net.InterfaceByIndex(int(id)); err == nil {
			z = i.Name
		}
		in.zones[id] = z
	}
	return z
}
