package doctor

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// data tries to write where the relay writes.
func (c Config) data() Finding {
	f := Finding{What: "data"}
	dir := c.Data
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		dir = filepath.Dir(dir) // the relay makes the last part itself
	}
	file, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		f.Level, f.Text = Fail, fmt.Sprintf("%s cannot be written: %v", c.Data, err)
		f.Mend = "make the directory, give it to the relay's account (chown), and look whether its disk is mounted read-only"
		return f
	}
	_, err = file.WriteString("well")
	err = errors.Join(err, file.Sync(), file.Close(), os.Remove(file.Name()))
	if err != nil {
		f.Level, f.Text, f.Mend = Fail, fmt.Sprintf("a file in %s cannot be written: %v", c.Data, err), "free the disk, or look for errors of it in the kernel's log"
		return f
	}
	if info, err := os.Stat(filepath.Join(c.Data, "keys")); err == nil && info.Mode().Perm()&0o077 != 0 {
		f.Level, f.Text = Fail, fmt.Sprintf("others on this machine may read the keys that sign invitations (mode %v)", info.Mode().Perm())
		f.Mend = "chmod 700 " + filepath.Join(c.Data, "keys") + ", then relay keys rotate and relay keys remove the older ones"
		return f
	}
	f.Level, f.Text = OK, c.Data+" can be written"
	return f
}

// Free space below which recordings are in danger, and below which the log is, bytes.
const (
	littleSpace = 10 << 30
	noSpace     = 500 << 20
)

func (c Config) disk() Finding {
	f := Finding{What: "disk", Mend: "move recordings away from " + filepath.Join(c.Data, "recordings") + ", or give data another disk"}
	var fs syscall.Statfs_t
	dir := c.Data
	err := syscall.Statfs(dir, &fs)
	if errors.Is(err, os.ErrNotExist) {
		dir = filepath.Dir(dir)
		err = syscall.Statfs(dir, &fs)
	}
	if err != nil {
		f.Level, f.Text = Fail, fmt.Sprintf("the disk of %s does not answer: %v", c.Data, err)
		return f
	}
	free := fs.Bavail * uint64(fs.Bsize)
	f.Text = fmt.Sprintf("%.1f GB free; an hour of one camera at 6 Mbit/s takes 2.7 GB", float64(free)/1e9)
	switch {
	case free < noSpace:
		f.Level = Fail
	case free < littleSpace:
		f.Level = Warn
	default:
		f.Level, f.Mend = OK, ""
	}
	return f
}

// clockError is what the kernel calls a clock that nothing sets (TIME_ERROR).
const clockError = 5

// clock asks the kernel whether something sets the clock, and looks at the relay's.
func (c Config) clock(r relay) Finding {
	f := Finding{What: "clock", Mend: "run chrony or systemd-timesyncd: timedatectl set-ntp true"}
	if d := r.ahead; r.up && (d > maxAhead || d < -maxAhead) {
		f.Level, f.Text = Fail, fmt.Sprintf("the relay's clock is %v off this machine's: invitations end too early or too late", d.Round(time.Second))
		return f
	}
	state, err := syscall.Adjtimex(&syscall.Timex{})
	switch {
	case err != nil:
		f.Level, f.Text, f.Mend = Warn, fmt.Sprintf("the kernel does not say whether the clock is set: %v", err), "look at timedatectl on the host"
	case state == clockError:
		f.Level, f.Text = Warn, "the kernel says that nothing sets the clock"
	default:
		f.Level, f.Text, f.Mend = OK, "set by the network's time: "+c.Now().UTC().Format(time.RFC3339), ""
	}
	return f
}

// soon is how long before its end a certificate is to be renewed.
const soon = 14 * 24 * time.Hour

func (c Config) certificate() Finding {
	f := Finding{What: "tls-cert", Level: Fail, Mend: "renew the certificate, and put both PEM files in place; a running relay takes them at once"}
	pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		f.Text, f.Mend = err.Error(), "tls-cert is the PEM file with the certificate and its chain, tls-key that with its key; the relay's account must be able to read both"
		return f
	}
	leaf, now := pair.Leaf, c.Now()
	day := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
	switch {
	case now.After(leaf.NotAfter):
		f.Text = "expired at " + day(leaf.NotAfter)
	case now.Before(leaf.NotBefore):
		f.Text, f.Mend = "is good only from "+day(leaf.NotBefore), "look at this machine's clock, or wait"
	case c.host() != "" && leaf.VerifyHostname(c.host()) != nil:
		f.Text, f.Mend = leaf.VerifyHostname(c.host()).Error(), "get a certificate for the name that is in the URL"
	case now.Add(soon).After(leaf.NotAfter):
		f.Level, f.Text = Warn, "expires at "+day(leaf.NotAfter)
	default:
		f.Level, f.Text, f.Mend = OK, "good until "+day(leaf.NotAfter), ""
	}
	return f
}

// host is the name by which clients reach the relay, where it is known.
func (c Config) host() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// tcp tries to take a port, which only the relay may have.
func (c Config) tcp(setting, address string, r relay) Finding {
	f := Finding{What: setting, Level: OK, Text: address + " is free"}
	l, err := net.Listen("tcp", address)
	switch {
	case err == nil:
		_ = l.Close()
	case errors.Is(err, syscall.EADDRINUSE) && r.here:
		f.Text = address + " is served by the relay that runs"
	default:
		f.taken("tcp", address, err)
	}
	return f
}

func (c Config) udp(r relay) Finding {
	host, port, err := net.SplitHostPort(c.Listen)
	if c.MediaPort != 0 {
		port = strconv.Itoa(c.MediaPort)
	}
	address := net.JoinHostPort(host, port)
	f := Finding{What: "media-port", Level: OK, Text: "UDP " + address + " is free"}
	var conn net.PacketConn
	if err == nil {
		conn, err = net.ListenPacket("udp", address)
	}
	switch {
	case err == nil:
		_ = conn.Close()
	case errors.Is(err, syscall.EADDRINUSE) && r.here:
		f.Text = "UDP " + address + " is served by the relay that runs"
	default:
		f.taken("udp", address, err)
	}
	return f
}

// taken says why an address cannot be had.
func (f *Finding) taken(network, address string, err error) {
	f.Level, f.Text = Fail, fmt.Sprintf("%s %s cannot be had: %v", network, address, err)
	_, port, _ := net.SplitHostPort(address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		f.Mend = fmt.Sprintf("another program has it: ss -lnp '( sport = :%s )' names it; end it, or set another %s", port, f.What)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		f.Mend = "this machine has no such address: set " + f.What + " to one of ip address show, or to 0.0.0.0"
	case errors.Is(err, syscall.EACCES):
		f.Mend = "ports below 1024 need a right: AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit"
	default:
		f.Mend = "set " + f.What + " to host:port"
	}
}
