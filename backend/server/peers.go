package server

import (
	"context"
	"net"
	"net/url"

	"novacron/backend/agent/remote"
	"novacron/backend/core/id"
	"novacron/backend/store"
)

// asPeer is this server as the others on its database find it. An embedded database has one server, unless an address is set.
func (s *Server) asPeer() (store.Server, error) {
	address := s.o.PeerAddr
	if address == "" && s.o.DatabaseURL != "" {
		address = s.towardsDatabase()
	}
	if address == "" {
		return store.Server{}, nil
	}
	self, err := serverID(s.paths)
	return store.Server{ID: self, Address: address, Started: s.started}, err
}

// towardsDatabase is the node port at the address by which this machine reaches the database: the others reach that too, and so
// most likely each other.
func (s *Server) towardsDatabase() string {
	host, port, err := net.SplitHostPort(s.listeners["node"].Addr().String())
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
		return net.JoinHostPort(host, port)
	}
	database := "localhost"
	if u, err := url.Parse(s.o.DatabaseURL); err == nil && u.Hostname() != "" {
		database = u.Hostname()
	}
	c, err := net.Dial("udp", net.JoinHostPort(database, "9")) // sends nothing: the kernel picks the address
	if err != nil {
		s.log.Warn("other servers cannot find this one; set NOVACRON_PEER_ADDR to host:port of its node port", "err", err)
		return ""
	}
	defer c.Close()
	host, _, err = net.SplitHostPort(c.LocalAddr().String())
	if err != nil {
		return ""
	}
	return net.JoinHostPort(host, port)
}

func (s *Server) openPeers(nodes *roster) (err error) {
	if s.self.ID == "" {
		return nil
	}
	s.peers, err = remote.NewPeers(remote.PeersOptions{CA: s.ca, Self: s.self.ID, Log: s.log,
		Holder: func(ctx context.Context, n id.Node) (remote.Held, error) {
			h, err := s.db.Holder(ctx, n)
			return remote.Held{Server: h.Server, Address: h.Address, Epoch: h.Epoch}, err
		}})
	nodes.peers = s.peers
	return err
}
