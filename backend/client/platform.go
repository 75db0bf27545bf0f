package client

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"novacron/backend/core/wire"
)

// Nodes is a page of the nodes.
func (c *Client) Nodes(ctx context.Context, l ListOptions) (out wire.List[wire.Node], err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/api/v1/nodes", query: l.values(), out: &out})
	return out, err
}

// Node is one node, by id or name.
func (c *Client) Node(ctx context.Context, ref string) (out wire.Node, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: path("/api/v1/nodes", ref), out: &out})
	return out, err
}

// Servers is all servers that share the database.
func (c *Client) Servers(ctx context.Context) (out wire.List[wire.Server], err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/api/v1/servers", out: &out})
	return out, err
}

// UpdateNode changes a node: cordon, labels. version 0: whatever it is now.
func (c *Client) UpdateNode(ctx context.Context, ref string, r wire.UpdateNode, version int64) (out wire.Node, err error) {
	_, err = c.do(ctx, call{method: http.MethodPatch, path: path("/api/v1/nodes", ref), body: r, version: version, out: &out})
	return out, err
}

// ConfirmNodeDead says that the machine is off for good, so that its VMs may be given up.
func (c *Client) ConfirmNodeDead(ctx context.Context, ref string) (out wire.Node, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: path("/api/v1/nodes", ref, "confirm-dead"), out: &out})
	return out, err
}

// RemoveNode forgets a node that holds nothing.
func (c *Client) RemoveNode(ctx context.Context, ref string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: path("/api/v1/nodes", ref)})
	return err
}

// CreateJoinToken makes a one-use token for a machine that joins. lifetime 0: the server's default.
func (c *Client) CreateJoinToken(ctx context.Context, lifetime time.Duration) (out wire.JoinToken, err error) {
	q := url.Values{}
	if lifetime > 0 {
		q.Set("lifetime", lifetime.String())
	}
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/api/v1/nodes/join-tokens", query: q, out: &out})
	return out, err
}

// Networks is a page of the networks.
func (c *Client) Networks(ctx context.Context, l ListOptions) (out wire.List[wire.Network], err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/api/v1/networks", query: l.values(), out: &out})
	return out, err
}

// Network is one network, by id or name.
func (c *Client) Network(ctx context.Context, ref string) (out wire.Network, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: path("/api/v1/networks", ref), out: &out})
	return out, err
}

// History is a page of the events behind a cursor; NextCursor is where to go on, also from the last page. Without a cursor it
// begins with the oldest that is kept.
func (c *Client) History(ctx context.Context, since string, topics []string, limit int) (wire.List[wire.Event], error) {
	q := url.Values{}
	set(q, "since", since)
	return c.events(ctx, q, topics, limit)
}

// Recent is the newest events, oldest first; NextCursor is where to go on.
func (c *Client) Recent(ctx context.Context, topics []string, limit int) (wire.List[wire.Event], error) {
	return c.events(ctx, url.Values{"newest": {"true"}}, topics, limit)
}

func (c *Client) events(ctx context.Context, q url.Values, topics []string, limit int) (out wire.List[wire.Event], err error) {
	set(q, "topics", strings.Join(topics, ","))
	setInt(q, "limit", limit)
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/api/v1/events", query: q, out: &out})
	return out, err
}
