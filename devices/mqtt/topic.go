// Package mqtt is how machines speak and are heard: a reader that turns what a plant's broker says into
// messages of the room log, and a publisher for the plant's side. It is the only importer of paho.
//
//	plant/<area>/<machine>/<tag>          a value: {"value":4.2,"time":1700000000123.456,"quality":"good"},
//	                                      or bare 4.2, true, "open"; time in ms since the Unix epoch
//	plant/<area>/<machine>/$birth         devices.Machine, retained: title, units and limits
//	plant/<area>/<machine>/$alarm/<name>  {"active":true,"text":"seal leaks","time":…}: an alarm of its own
//
// A tag may have levels of its own. Areas, machines and tags may have dots, spaces and any language.
package mqtt

import (
	"errors"
	"fmt"
	"strings"
)

const (
	root  = "plant"
	birth = "$birth"
	alarm = "$alarm"
)

// address is what a topic names.
type address struct {
	machine string // "<area>/<machine>"
	tag     string // birth, or the name of a tag or an alarm
	alarm   bool
}

var errTopic = errors.New("topic is not plant/<area>/<machine>/<tag>")

func parseTopic(topic string) (address, error) {
	parts := strings.SplitN(topic, "/", 4)
	if len(parts) < 4 || parts[0] != root || parts[1] == "" || parts[2] == "" || parts[3] == "" {
		return address{}, errTopic
	}
	a := address{machine: parts[1] + "/" + parts[2], tag: parts[3]}
	if name, ok := strings.CutPrefix(a.tag, alarm+"/"); ok {
		a.tag, a.alarm = name, true
	}
	if a.tag == "" || a.tag == alarm {
		return address{}, errTopic
	}
	if n := len(a.machine) + 1 + len(a.tag); n > 256 {
		return address{}, fmt.Errorf("machine and tag have %d bytes, at most 256", n)
	}
	return a, nil
}

// checkMachine returns an error when a name is not "<area>/<machine>".
func checkMachine(machine string) error {
	if area, name, ok := strings.Cut(machine, "/"); !ok || area == "" || name == "" || strings.ContainsAny(machine, "+#\x00") ||
		strings.Contains(name, "/") {
		return fmt.Errorf("machine %q: want <area>/<machine>, without + and #", machine)
	}
	return nil
}
