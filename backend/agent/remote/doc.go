// Package remote carries agent.API between a server and the nodes that dial it. The node opens every connection, so it
// works behind NAT; on the control and the bulk connection the roles are then exchanged: the node serves HTTP/2 on the
// connection that it dialled and the server is the client. Identity comes only from certificates of the platform's own CA:
// a node's id stands in the URI SAN of its certificate and nowhere else.
//
//	node                                        server, port 8093 (TLS 1.3)
//	 ── ALPN novacron-control/1 ──────────────▶  Hub: short calls and reports, server is the HTTP/2 client
//	 ── ALPN novacron-bulk/1, when asked ─────▶  Hub: consoles, server is the HTTP/2 client
//	 ── ALPN http/1.1 ────────────────────────▶  POST /join, /renew, /lease; GET /images/{digest}
//	another server
//	 ── ALPN novacron-server/1 ───────────────▶  Hub: what concerns a node that is connected here, as in POST /nodes/{id}/ensure, and this server's Disk
//
// Leases, bulk and images have TCP connections of their own, so that no console and no image delays a lease.
package remote
