package client

import (
	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/stdnet"
)

// freshNet is this machine's network as it is at the moment. Pion's own looks once, and finds no new path after a change.
type freshNet struct{ *stdnet.Net }

func newFreshNet() (freshNet, error) {
	n, err := stdnet.NewNet()
	return freshNet{n}, err
}

// Interfaces lists the interfaces with their addresses.
func (freshNet) Interfaces() ([]*transport.Interface, error) {
	now, err := stdnet.NewNet()
	if err != nil {
		return nil, err
	}
	return now.Interfaces()
}
