package services

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports below those that Linux gives to connections that go out (ip_local_port_range: 32768 and up) and above those of known services.
const (
	firstPort = 11_000
	lastPort  = 31_999
	portTries = 1000
)

// FreePorts gives different ports of 127.0.0.1 on which nothing listens. They are none that a connection going out gets by chance, so that
// they are still free when a test listens there later, or again after a restart.
func FreePorts(n int) (ports []int, err error) {
	for range portTries {
		if len(ports) == n {
			return ports, nil
		}
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		if ln, err := net.Listen("tcp", loopback(port)); err == nil {
			defer ln.Close() //nolint:errcheck // nothing was accepted
			ports = append(ports, port)
		}
	}
	return nil, errors.New("there are not enough free ports from 11000 to 31999")
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
