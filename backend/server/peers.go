package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"

	"novacron/backend/agent/remote"
	"novacron/backend/app"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/storage"
	"novacron/backend/store"
)

// asPeer is this server as people see it and as the others on its database find it. An embedded database has one server, unless an
// address is set.
func (s *Server) asPeer() (store.Server, error) {
	address := s.o.PeerAddr
	if address == "" && s.o.DatabaseURL != "" {
		address = s.towardsDatabase()
	}
	name, _ := os.Hostname() // without one it has its id
	self, err := serverID(s.paths)
	return store.Server{ID: self, Name: name, Address: address, Version: s.o.Version, Started: s.started}, err
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

func (s *Server) openPeers() (err error) {
	if s.self.Address == "" {
		return nil
	}
	s.peers, err = remote.NewPeers(remote.PeersOptions{CA: s.ca, Self: s.self.ID, Dial: s.o.Outside.Dial, Log: s.log,
		Holder: func(ctx context.Context, n id.Node) (remote.Held, error) {
			h, err := s.db.Holder(ctx, n)
			return remote.Held{Server: h.Server, Address: h.Address, Epoch: h.Epoch}, err
		},
		Servers: func(ctx context.Context) (all []remote.Held, err error) {
			rows, err := s.db.Servers(ctx)
			for _, r := range rows {
				all = append(all, remote.Held{Server: r.ID, Address: r.Address})
			}
			return all, err
		}})
	return err
}

// openImage opens an image on this server's disk, or else on that of another server.
func (s *Server) openImage(ctx context.Context, digest string) (io.ReadSeekCloser, error) {
	here, err := s.cache.Open(digest)
	if err == nil {
		return here, nil
	}
	if s.peers == nil || !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	return s.peers.Image(ctx, digest)
}

// imageFrom is where the node in this process gets the images that its cache, which is the server's too, does not have.
func (s *Server) imageFrom(ctx context.Context, digest string, offset int64) (io.ReadCloser, error) {
	b, err := s.openImage(ctx, digest)
	if err != nil {
		return nil, err
	}
	if _, err := b.Seek(offset, io.SeekStart); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// disk is what other servers may use of this one's disk.
type disk struct {
	cache *storage.Cache
	app   *app.App
}

func (d disk) Image(_ context.Context, digest string) (io.ReadSeekCloser, error) {
	return d.cache.Open(digest)
}

func (d disk) DropImage(_ context.Context, digest string) error { return drop(d.cache, digest) }

func (d disk) Staged(_ context.Context, image id.Image) (io.ReadSeekCloser, error) {
	return d.app.OpenStaged(image)
}

func (d disk) Stage(ctx context.Context, upload id.Upload, offset int64, body io.Reader) (int64, error) {
	return d.app.StageUpload(ctx, upload, offset, body)
}
