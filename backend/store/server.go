package store

import (
	"context"
	"slices"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Server is a server on this database.
type Server struct {
	ID      id.Server
	Name    string // of its machine, for people
	Address string // host:port of its node port, as the other servers dial it; empty: there are no others
	Version string
	Started time.Time // with the id it names one life of the server
	Seen    time.Time // when it last said that it lives, on its own clock
	Stopped bool      // it said that it stops
}

// SameLife reports whether both are of one process.
func (s Server) SameLife(o Server) bool {
	return s.ID == o.ID && stamp(s.Started) == stamp(o.Started)
}

// Held says which server holds the connection of a node.
type Held struct {
	Node    id.Node
	Server  id.Server
	Address string // of the server
	Epoch   int64  // counted up by every claim of the node, whoever makes it
}

// MaxServers bounds what Servers reads: more on one database are of no use.
const MaxServers = 64

// SaveServer records that the server lives, at an address.
func (t *Tx) SaveServer(ctx context.Context, s Server) error {
	_, err := t.exec(ctx, `insert into servers (id, name, address, version, started_at, seen_at, stopped) values ($1, $2, $3, $4, $5, $6, $7)
		on conflict (id) do update set name = excluded.name, address = excluded.address, version = excluded.version,
		started_at = excluded.started_at, seen_at = excluded.seen_at, stopped = excluded.stopped`,
		s.ID, s.Name, s.Address, s.Version, stamp(s.Started), stamp(s.Seen), s.Stopped)
	return err
}

// TrimServers forgets the servers that were not seen since the time.
func (t *Tx) TrimServers(ctx context.Context, before time.Time) error {
	_, err := t.exec(ctx, "delete from servers where seen_at < $1", stamp(before))
	return err
}

const serverColumns = "select id, name, address, version, started_at, seen_at, stopped from servers "

func scanServer(row row) (s Server, err error) {
	return s, row.Scan(&s.ID, &s.Name, &s.Address, &s.Version, stamped{&s.Started}, stamped{&s.Seen}, &s.Stopped)
}

// Servers reads the servers on this database, at most MaxServers.
func (r *Reader) Servers(ctx context.Context) ([]Server, error) {
	return many(ctx, r, scanServer, serverColumns+"order by id limit $1", MaxServers)
}

// Server reads one. fault.NotFound: it was not seen for a while, or never.
func (r *Reader) Server(ctx context.Context, s id.Server) (Server, error) {
	return one(ctx, r, fault.New(fault.NotFound, "server_not_found", "there is no server %s", s), scanServer, serverColumns+"where id = $1", s)
}

// HeldCounts counts the connections of nodes per server.
func (r *Reader) HeldCounts(ctx context.Context) (map[id.Server]int, error) {
	type count struct {
		server id.Server
		nodes  int
	}
	rows, err := many(ctx, r, func(row row) (c count, err error) { return c, row.Scan(&c.server, &c.nodes) },
		"select server, count(*) from holders where server <> '' group by server")
	out := make(map[id.Server]int, len(rows))
	for _, c := range rows {
		out[c.server] = c.nodes
	}
	return out, err
}

// ClaimNodes records that the server holds the connections of these nodes, which are named once, and gives them with their new
// epochs. A node that is not in the store is not among them. With gentle a node stays where a server that is there holds it.
func (t *Tx) ClaimNodes(ctx context.Context, s id.Server, nodes []id.Node, gentle bool) ([]Held, error) {
	var all []Held
	for part := range slices.Chunk(nodes, maxRenewals) {
		args := []any{s}
		for _, n := range part {
			args = append(args, n)
		}
		guard := ""
		if gentle {
			guard = " where holders.server not in (select id from servers)"
		}
		held, err := many(ctx, &t.Reader, func(r row) (h Held, err error) { return h, r.Scan(&h.Node, &h.Server, &h.Epoch) },
			`insert into holders (node, server, epoch) select id, $1, 1 from nodes where id in (`+places(2, len(part))+`) order by id
			on conflict (node) do update set server = excluded.server, epoch = holders.epoch + 1`+guard+` returning node, server, epoch`, args...)
		if err != nil {
			return nil, err
		}
		all = append(all, held...)
	}
	return all, nil
}

// ReleaseNode records that the server no longer holds the node's connection. A newer claim stays as it is.
func (t *Tx) ReleaseNode(ctx context.Context, h Held) error {
	_, err := t.exec(ctx, "update holders set server = '' where node = $1 and server = $2 and epoch = $3", h.Node, h.Server, h.Epoch)
	return err
}

// ReleaseServer records that the server holds nothing, as after its start.
func (t *Tx) ReleaseServer(ctx context.Context, s id.Server) error {
	_, err := t.exec(ctx, "update holders set server = '' where server = $1", s)
	return err
}

const heldColumns = "select h.node, h.server, s.address, h.epoch from holders h join servers s on s.id = h.server "

func scanHeld(r row) (h Held, err error) {
	return h, r.Scan(&h.Node, &h.Server, &h.Address, &h.Epoch)
}

// Holder reads who holds the connection of the node. fault.NotFound: nobody who lives.
func (r *Reader) Holder(ctx context.Context, n id.Node) (Held, error) {
	return one(ctx, r, fault.New(fault.NotFound, "node_not_held", "no server holds a connection of this node"), scanHeld, heldColumns+"where h.node = $1", n)
}
