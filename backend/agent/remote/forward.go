//lint:file-ignore SA1019 net/http cannot serve HTTP/2 on a connection that it dialled, nor call on one that it accepted; x/net can

package remote

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/net/http2"

	"novacron/backend/agent"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// maxForwards bounds what other servers ask of this one's nodes at once, consoles included.
const maxForwards = 4096

// codeMoved says that the asked server does not hold the node's connection in the epoch that the asking one believes in.
const codeMoved = "node_moved"

// serveServer answers another server of the installation until its connection ends.
func (h *Hub) serveServer(c *tls.Conn, state tls.ConnectionState) error {
	who, err := h.o.CA.identifyServer(state, h.o.Now())
	if err == nil && h.o.Server == "" {
		err = fault.New(fault.Unsupported, "one_server", "this server shares its database with no other one")
	}
	if err != nil {
		return err
	}
	log := h.o.Log.With("server", who)
	newServer().ServeConn(c, &http2.ServeConnOpts{Context: h.ctx, Handler: h.serverRoutes(), BaseConfig: &http.Server{ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}})
	return nil
}

// serverRoutes are what other servers can ask. Nothing here asks a third one, so a request goes through one server at most.
func (h *Hub) serverRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /nodes/{node}/{call}", h.forward)
	h.diskRoutes(mux)
	return mux
}

// forwardRoutes are the whole of agent.API, for another server.
func forwardRoutes(api agent.API) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", controlRoutes(api, func() {}))
	mux.Handle("/open", bulkRoutes(api))
	return mux
}

// forward hands a request of another server to the node on the connection that this one holds.
func (h *Hub) forward(w http.ResponseWriter, r *http.Request) {
	node := id.Node(r.PathValue("node"))
	to, err := h.forwardTo(node, r.Header.Get(headerEpoch))
	if err != nil {
		refuseCall(w, err)
		return
	}
	select {
	case h.forwards <- struct{}{}:
		defer func() { <-h.forwards }()
	default:
		refuseCall(w, fault.New(fault.Unavailable, "server_busy", "the server that node %s is connected to is asked too much at once; try again in a moment", node).After(time.Second))
		return
	}
	http.StripPrefix("/nodes/"+string(node), to).ServeHTTP(w, r)
}

// forwardTo finds the node's connection, if the asking server knows the present claim of it.
func (h *Hub) forwardTo(node id.Node, epoch string) (http.Handler, error) {
	asked, err := strconv.ParseInt(epoch, 10, 64)
	if err == nil && h.o.Holds != nil && asked > 0 && asked == h.o.Holds(node) {
		if node == h.o.Node && h.local != nil {
			return h.local, nil
		}
		if p := h.seated(node); p != nil {
			return p.forward, nil
		}
	}
	return nil, fault.New(fault.Unavailable, codeMoved, "node %s is changing from one server to another; try again in a moment", node).After(time.Second)
}
