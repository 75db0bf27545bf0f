package remote

import (
	"context"
	"io"
	"log/slog"

	"novacron/backend/agent"
	"novacron/backend/core/id"
)

// LocalAPI is the node's end of what a Link carries; *agent.Agent is one.
type LocalAPI interface {
	agent.API
	AskLease() (seq int64)
}

// LinkOptions is what the node's end is made of.
type LinkOptions struct {
	Server string       // host:port
	Dir    string       // folder that holds the node's key and certificates, mode 0700
	Log    *slog.Logger // nil: slog.Default
}

// Join trades a one-use token for a certificate and stores it in dir. It sends the token only to a server that the token
// itself names by the fingerprint of its CA. A dir that is joined already is left alone and its node is returned.
func Join(ctx context.Context, server, token, dir string) (id.Node, error) { return "", nil }

// Joined gives the node that dir's certificate names. fault.NotFound: dir has not joined.
func Joined(dir string) (id.Node, error) { return "", nil }

// Link keeps a node connected to one server.
type Link struct{ o LinkOptions }

// NewLink makes a link from what Join stored.
func NewLink(o LinkOptions) (*Link, error) { return &Link{o: o}, nil }

// Run keeps the connections up, renews lease and certificate, and serves api to the server, until ctx ends or the server
// refuses this node for good.
func (l *Link) Run(ctx context.Context, api LocalAPI) error { return nil }

// Fetch opens an image of the server; it is an agent.Source.
func (l *Link) Fetch(ctx context.Context, digest string, offset int64) (io.ReadCloser, error) {
	return nil, nil
}
