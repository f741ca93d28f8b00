package relaytest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// aloneEnv says that a test runs in a network namespace of its own.
const aloneEnv = "SIGHTLINE_TEST_ALONE"

// Here is the address of the process that is alone; every network of a Traveller's leads to it.
const Here = "10.77.0.1"

// Alone runs a test again, in a process and a network namespace of its own, with a loopback and nothing else, and says
// whether this is that process: if not, the test is over. flags are passed on. The test is skipped, with the reason, where
// that cannot be.
func Alone(t *testing.T, flags ...string) bool {
	t.Helper()
	if os.Getenv(aloneEnv) != "" {
		ip(t, "link set lo up")
		ip(t, "addr add "+Here+"/32 dev lo")
		return true
	}
	for _, tool := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("network namespaces need %s, of the packages iproute2 and util-linux", tool)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"-test.run", "^" + t.Name() + "$", "-test.v", "-test.timeout", "5m"}, flags...)...)
	cmd.Env = append(os.Environ(), aloneEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	if _, started := err.(*exec.ExitError); err != nil && !started {
		t.Skipf("network namespaces cannot be made here: %v", err)
	}
	t.Logf("in a network namespace of its own:\n%s", out)
	if err != nil {
		t.Error(err)
	}
	return false
}

// ip runs iproute2 in this process's namespace.
func ip(t testing.TB, args string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", args, err, out)
	}
}

// Traveller is a participant in a process and a network namespace of its own, whose networks come and go as those of a
// telephone do: real interfaces, real addresses, the kernel's own routes and TCP.
type Traveller struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	mac string // of the network that is mute, before
}

// StartTraveller makes one. It has no network until Attach, and does nothing before Go. see is called with all that it sees.
func StartTraveller(t *testing.T, see func(Sight)) *Traveller {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), travelEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	log := &testWriter{t: t}
	cmd.Stderr = log
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var s Sight
			if json.Unmarshal(lines.Bytes(), &s) == nil {
				see(s)
			}
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		late := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		<-ended
		_ = cmd.Wait()
		late.Stop()
		log.end()
	})
	return &Traveller{cmd: cmd, in: in}
}

// Attach gives the traveller a network card that leads here, without an address yet. Both ends have the same name.
func (v *Traveller) Attach(t testing.TB, card string, subnet int) {
	t.Helper()
	ip(t, fmt.Sprintf("link add %s type veth peer name eth-%s netns %d", card, card, v.cmd.Process.Pid))
	ip(t, fmt.Sprintf("addr add 10.78.%d.1/24 dev %s", subnet, card))
	ip(t, "link set "+card+" up")
}

// Join connects the traveller to a network: the card comes up, has an address and the way to everywhere else.
func (v *Traveller) Join(t testing.TB, card string, subnet int) {
	t.Helper()
	v.ip(t, "link set eth-"+card+" up")
	v.ip(t, fmt.Sprintf("addr add 10.78.%d.2/24 dev eth-%s", subnet, card))
	v.ip(t, fmt.Sprintf("route replace default via 10.78.%d.1", subnet))
}

// Leave takes a network away as the operating system of a telephone does: the address goes with it.
func (v *Traveller) Leave(t testing.TB, card string) {
	t.Helper()
	v.ip(t, "addr flush dev eth-"+card)
	v.ip(t, "link set eth-"+card+" down")
}

// Mute lets nothing more through a network, and tells nobody; Unmute ends that.
func (v *Traveller) Mute(t testing.TB, card string, subnet int) {
	t.Helper()
	here, err := net.InterfaceByName(card)
	if err != nil {
		t.Fatal(err)
	}
	v.mac = here.HardwareAddr.String()
	ip(t, "link set "+card+" address 02:00:00:00:00:01") // what the traveller sends is for the one it had before
	ip(t, fmt.Sprintf("route add blackhole 10.78.%d.2/32", subnet))
}

// Unmute lets everything through again.
func (v *Traveller) Unmute(t testing.TB, card string, subnet int) {
	t.Helper()
	ip(t, "link set "+card+" address "+v.mac)
	ip(t, fmt.Sprintf("route del blackhole 10.78.%d.2/32", subnet))
}

// Go lets the traveller join a room.
func (v *Traveller) Go(t testing.TB, plan Itinerary) {
	t.Helper()
	line, err := json.Marshal(plan)
	if err == nil {
		_, err = v.in.Write(append(line, '\n'))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Draw lets the traveller draw a mark.
func (v *Traveller) Draw(t testing.TB, id string) {
	t.Helper()
	if _, err := io.WriteString(v.in, id+"\n"); err != nil {
		t.Fatal(err)
	}
}

func (v *Traveller) ip(t testing.TB, args string) {
	t.Helper()
	cmd := exec.Command("nsenter", append([]string{"-t", strconv.Itoa(v.cmd.Process.Pid), "-n", "ip"}, strings.Fields(args)...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(out))
	}
}
