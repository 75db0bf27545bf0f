package remote

import (
	"context"
	"io"
	"log/slog"
	"net"
	"time"

	"novacron/backend/agent"
	"novacron/backend/core/id"
)

// HubOptions is what the server gives the Hub. CA, Redeem, Admit, Lease and Image are needed; the rest may be nil.
type HubOptions struct {
	CA *CA
	// Redeem takes a one-use join secret and gives the node id that it stands for. It must consume the secret in the same
	// moment: of many calls with one secret exactly one succeeds. fault.Unauthenticated: unknown, used or ended.
	Redeem func(ctx context.Context, secret string, info JoinInfo) (id.Node, error)
	// Admit is asked at every connection, renewal and lease. fault.Forbidden: the node was removed.
	Admit func(ctx context.Context, node id.Node) error
	// Lease records a renewal of the node's lease before it is granted, and gives its duration.
	Lease func(ctx context.Context, node id.Node, seq int64) (time.Duration, error)
	// Image opens an image that nodes may read. fault.NotFound: there is none.
	Image func(ctx context.Context, node id.Node, digest string) (io.ReadSeekCloser, error)
	// OnUp is called when a node's control connection is there, OnDown when it is lost, in this order and one at a time per
	// node. A newer connection of the same node gives OnDown for the old one first.
	OnUp   func(node id.Node, api agent.API)
	OnDown func(node id.Node)
	Log    *slog.Logger
	Now    func() time.Time // for certificates; nil: time.Now
}

// JoinInfo is what a node says of itself when it joins. It is shown to operators and proves nothing.
type JoinInfo struct {
	Hostname string `json:"hostname"`
	Address  string `json:"-"` // the peer's address as the server saw it
}

// Hub is the server's end: it answers on port 8093 and keeps one live control connection per node.
type Hub struct{ o HubOptions }

// NewHub makes a hub.
func NewHub(o HubOptions) (*Hub, error) { return &Hub{o: o}, nil }

// Serve answers nodes on l until Close. l is an ordinary TCP listener; TLS is the hub's.
func (h *Hub) Serve(l net.Listener) error { return nil }

// Close ends every connection and waits for what it started.
func (h *Hub) Close() error { return nil }

// Node gives the API of a connected node.
func (h *Hub) Node(node id.Node) (agent.API, bool) { return nil, false }

// Nodes lists the connected nodes.
func (h *Hub) Nodes() []id.Node { return nil }
