//lint:file-ignore SA1019 net/http cannot speak HTTP/2 under a protocol name of our own; x/net can

package security

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"novacron/backend/agent/remote"
	"novacron/backend/core/wire"
)

// forServers is everything that one server can ask of another.
var forServers = []struct{ method, path string }{
	{"POST", "/nodes/NODE/ensure"}, {"POST", "/nodes/NODE/snapshot"}, {"POST", "/nodes/NODE/facts"}, {"POST", "/nodes/NODE/reports"},
	{"POST", "/nodes/NODE/lease"}, {"POST", "/nodes/NODE/image"}, {"POST", "/nodes/NODE/open"}, {"POST", "/nodes/NODE/bulk"},
	{"GET", "/images/sha256:" + strings.Repeat("0", 64)}, {"DELETE", "/images/sha256:" + strings.Repeat("0", 64)},
	{"GET", "/staged/img-00000000000000000000"}, {"POST", "/uploads/upl-00000000000000000000/0"},
}

// A server is trusted like the platform, a node is not: what servers ask of each other is closed to a node's certificate and to none at all,
// under the protocol of servers and under every other one.
func TestWhatServersAskOfEachOther_isClosedToNodesAndStrangers(t *testing.T) {
	w := start(t, map[string]string{"peer-addr": "127.0.0.1:9"})
	var token wire.JoinToken
	w.as(w.admin, "POST", "/api/v1/nodes/join-tokens", `{}`).decode(t, &token)
	dir := t.TempDir()
	node, err := remote.Join(t.Context(), nil, w.server.Addresses()["node"], token.Token, dir)
	w.must(err)
	pem, err := os.ReadFile(filepath.Join(dir, "identity.pem"))
	w.must(err)
	own, err := tls.X509KeyPair(pem, pem)
	w.must(err)
	for who, certs := range map[string][]tls.Certificate{"a node": {own}, "a stranger": nil} {
		for _, proto := range []string{"novacron-server/1", "novacron-control/1", "novacron-bulk/1", "http/1.1", "h2"} {
			for _, r := range forServers {
				path := strings.ReplaceAll(r.path, "NODE", string(node))
				got := w.overNodePort(certs, proto, r.method, path)
				if refused := got == 0 || proto == "http/1.1" && got >= 400; !refused {
					t.Errorf("%s, %s: %s %s is answered with %d", who, proto, r.method, path, got)
				}
			}
		}
	}
}

// overNodePort makes a request to the nodes' port and gives its status; 0: no answer.
func (w *world) overNodePort(certs []tls.Certificate, proto, method, path string) int {
	w.t.Helper()
	c, err := tls.Dial("tcp", w.server.Addresses()["node"], &tls.Config{Certificates: certs, NextProtos: []string{proto}, InsecureSkipVerify: true})
	if err != nil {
		return 0
	}
	defer c.Close()
	q, err := http.NewRequestWithContext(w.t.Context(), method, "https://novacron"+path, strings.NewReader("{}"))
	w.must(err)
	q.Header.Set("Novacron-Epoch", "1")
	var via http.RoundTripper
	if proto == "http/1.1" {
		via = &http.Transport{DisableKeepAlives: true, DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return c, nil }}
	} else if via, err = (&http2.Transport{}).NewClientConn(c); err != nil {
		return 0
	}
	res, err := via.RoundTrip(q)
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}
