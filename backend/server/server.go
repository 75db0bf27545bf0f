package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"novacron/backend/agent"
	"novacron/backend/agent/remote"
	"novacron/backend/api"
	"novacron/backend/app"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/node"
	"novacron/backend/core/rate"
	"novacron/backend/op"
	"novacron/backend/reconcile"
	"novacron/backend/seed"
	"novacron/backend/session"
	"novacron/backend/storage"
	"novacron/backend/store"
)

// Options is what a Server is made of.
type Options struct {
	Settings
	Version string
	Log     *slog.Logger
	Local   bool // with a node in this process
	Sim     bool // that node is simulated
	// DemoKeys are the public SSH keys of the first VM.
	DemoKeys []string
	Outside  Outside
}

// Outside is where the server meets its machine. A simulation puts its own in place; the zero value is the machine itself.
type Outside struct {
	// Listen opens a listener: "api", "ws", "console" and "node" for the ports, "admin" for the local socket.
	Listen  func(name string) (net.Listener, error)
	Dial    remote.Dial                        // connects to the node port of another server
	Now     func() time.Time                   // wall clock
	Instant func() node.Instant                // a clock that never steps and goes on during suspend
	Commit  func(when store.CommitPoint) error // see store.Options
}

// Server is the platform in one process: the control plane, and with Options.Local this machine's node.
type Server struct {
	o     Options
	log   *slog.Logger
	paths Paths

	db       *store.DB
	sessions session.Engine
	keyring  *keyring
	seal     *sealer
	cache    *storage.Cache
	runner   *op.Runner
	app      *app.App
	accounts *app.Accounts
	api      *api.API
	hub      *remote.Hub
	ca       *remote.CA
	loops    *reconcile.Loops
	node     *Node
	nodeID   id.Node
	self     store.Server // to the other servers on the database; without an address there are none
	peers    *remote.Peers

	listeners map[string]net.Listener
	servers   []*http.Server
	serving   sync.WaitGroup
	failed    chan error // why the server ends: a listener that broke, another server of its id
	stopping  chan struct{}
	down      chan bool // an administrator's order to end; true: guests too
	started   time.Time

	rekeyDelay time.Duration  // see the constant
	closers    []func() error // in order of opening
	closing    sync.Once
	closed     error // what Close gives
}

// New opens everything that can fail for a reason an operator can mend: folders, lock, ports, database, keys. Nothing runs until
// Start. A Server that could not be made has closed what it opened.
func New(ctx context.Context, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Server{o: o, log: o.Log, paths: PathsFor(o.DataDir), listeners: map[string]net.Listener{}, failed: make(chan error, 1), down: make(chan bool, 1), stopping: make(chan struct{}), started: time.Now(), rekeyDelay: rekeyDelay}
	for _, open := range []func(context.Context) error{s.checkSecrets, s.openFolders, s.openPorts, s.openStore, s.openNode, s.openApp, s.openAPI} {
		if err := open(ctx); err != nil {
			s.closeAll()
			return nil, err
		}
	}
	return s, nil
}

func (s *Server) onClose(f func() error) { s.closers = append(s.closers, f) }

func (s *Server) openFolders(context.Context) error {
	release, err := s.paths.Take()
	if err != nil {
		return err
	}
	s.onClose(func() error { release(); return nil })
	return nil
}

// openPorts comes before the database, so that a second start on taken ports touches nothing.
func (s *Server) openPorts(context.Context) error {
	for _, p := range []struct{ name, addr, setting string }{
		{"api", s.o.APIAddr, "NOVACRON_API_ADDR"}, {"ws", s.o.WSAddr, "NOVACRON_WS_ADDR"},
		{"console", s.o.ConsoleAddr, "NOVACRON_CONSOLE_ADDR"}, {"node", s.o.NodeAddr, "NOVACRON_NODE_ADDR"},
	} {
		ln, err := s.listen(p.name, p.addr, p.setting)
		if err != nil {
			return err
		}
		s.listeners[p.name] = ln
		s.onClose(func() error { ln.Close(); return nil })
	}
	return nil
}

func (s *Server) listen(name, addr, setting string) (net.Listener, error) {
	if s.o.Outside.Listen != nil {
		return s.o.Outside.Listen(name)
	}
	return listen(addr, setting)
}

// databaseFile is the embedded database in the data folder.
const databaseFile = "novacron.db"

func (s *Server) openStore(ctx context.Context) (err error) {
	database := store.Options{URL: s.o.DatabaseURL, Commit: s.o.Outside.Commit, Log: s.log}
	if database.URL == "" {
		database.Path = filepath.Join(s.paths.Data, databaseFile)
	}
	if s.db, err = store.Open(ctx, database); err != nil {
		return s.cannotOpenDatabase(err, database.Path)
	}
	s.onClose(s.db.Close)
	if s.sessions, err = s.openSessions(ctx); err != nil {
		return err
	}
	s.onClose(s.sessions.Close)
	if s.seal, err = openSealer(ctx, s.o.Settings, s.db); err != nil {
		return err
	}
	s.cache, err = storage.OpenCache(storage.Config{Root: filepath.Join(s.paths.Data, "images")})
	return err
}

func (s *Server) openNode(ctx context.Context) (err error) {
	if !s.o.Local {
		return nil
	}
	if s.nodeID, err = nodeID(s.paths); err != nil {
		return err
	}
	s.node, err = OpenNode(ctx, NodeOptions{Node: s.nodeID, Paths: s.paths, Images: s.cache, Source: s.imageFrom, Version: s.o.Version, Log: s.log, Sim: s.o.Sim})
	if err == nil {
		s.onClose(s.node.Close)
	}
	return err
}

func (s *Server) openApp(ctx context.Context) error {
	get, err := newDownloads(s.o.Settings)
	if err != nil {
		return err
	}
	if s.self, err = s.asPeer(); err != nil {
		return err
	}
	if s.ca, err = openCA(ctx, s.db, s.seal); err != nil {
		return err
	}
	if err := s.openPeers(); err != nil {
		return err
	}
	nodes := &roster{peers: s.peers}
	staging := filepath.Join(s.paths.Data, "staging")
	deps := app.Deps{Store: s.db, Nodes: nodes, Images: imageFiles{s.cache, s.peers}, Fetch: get, Catalogue: makers{get, staging}, Tickets: s.sessions,
		Server: s.self, Staging: staging, CheckUserData: seed.CheckUserData, Quota: app.TenantQuota, FirstUID: s.paths.FirstUID(), UIDs: 1 << 16, Log: s.log, Now: s.o.Outside.Now}
	if s.peers != nil {
		deps.Self, deps.Peers = s.self.ID, s.peers
	}
	if s.app, err = app.New(deps); err != nil {
		return err
	}
	if err := s.app.Prepare(ctx, s.subnet()); err != nil {
		return err
	}
	s.runner = op.New(s.app.OperationStore(), op.Options{Log: s.log, Now: s.o.Outside.Now}, s.app.Definitions()...)
	if s.keyring, err = openKeyring(ctx, s.db, s.seal, s.o.SigningKey, s.o.HS256Secret, s.log); err != nil {
		return err
	}
	accounts, err := s.accountDeps()
	if err != nil {
		return err
	}
	s.accounts = app.NewAccounts(accounts)
	s.loops, err = reconcile.New(reconcile.Options{App: s.app, Store: s.db, Prune: s.sessions.Prune, Log: s.log, Now: s.o.Outside.Now, Instant: s.o.Outside.Instant, Server: s.self, Fail: s.fail})
	if err != nil {
		return err
	}
	return s.openHub(nodes)
}

func (s *Server) openHub(nodes *roster) error {
	joins, err := rate.Parse(s.o.LimitJoin)
	if err != nil {
		return fmt.Errorf("NOVACRON_LIMIT_JOIN: %w", err)
	}
	o := remote.HubOptions{CA: s.ca,
		Redeem: func(ctx context.Context, secret string, info remote.JoinInfo) (id.Node, error) {
			if err := s.admitJoin(ctx, joins, info.Address); err != nil {
				return "", err
			}
			return s.app.RedeemJoin(ctx, secret, info.Key, info.Hostname, info.Address)
		},
		Admit: s.app.AdmitNode,
		Claim: s.app.ClaimNode,
		Lease: func(ctx context.Context, n id.Node, _ int64) (time.Duration, error) { return s.loops.Renew(ctx, n) },
		Image: func(ctx context.Context, n id.Node, digest string) (io.ReadSeekCloser, error) {
			if err := s.app.AdmitImage(ctx, n, digest); err != nil {
				return nil, err
			}
			return s.openImage(ctx, digest)
		},
		OnUp:   func(n id.Node, a agent.API) { s.loops.Up(n, a) },
		OnDown: s.loops.Down,
		Holds:  s.loops.Holds, Disk: disk{s.cache, s.app},
		Log: s.log,
	}
	if s.peers != nil {
		o.Server = s.self.ID
	}
	if s.node != nil {
		o.Node, o.Agent = s.nodeID, s.node.Agent
	}
	s.hub, err = remote.NewHub(o)
	nodes.hub = s.hub
	return err
}

// admitJoin counts a try to join as a node, whatever becomes of it.
func (s *Server) admitJoin(ctx context.Context, limit rate.Limit, address string) error {
	if limit.Off() {
		return nil
	}
	v, err := s.sessions.Take(ctx, "join:"+api.AddressKey(address), limit, 1)
	if err == nil && !v.Allowed {
		err = fault.New(fault.RateLimited, "rate_limited", "at most %d machines of one address may try to join in %s; try again in %d seconds", limit.Events, limit.Window, int(v.Reset.Seconds())+1).After(v.Reset)
	}
	return err
}

func (s *Server) openAPI(context.Context) error {
	limits, err := s.limits()
	if err != nil {
		return err
	}
	proxies, err := prefixes(s.o.TrustedProxies, "NOVACRON_TRUSTED_PROXIES")
	if err != nil {
		return err
	}
	s.api, err = api.New(api.Deps{App: s.app, Accounts: s.accounts, Limiter: s.sessions, Limits: limits, PublicURL: s.o.PublicURL, HSTSSubdomains: s.o.HSTSSubdomains == "on", AllowedOrigins: s.origins(),
		TrustedProxies: proxies, Version: s.o.Version, Metrics: s.metrics(), ScrapeToken: s.o.ScrapeToken, Ready: s.ready, JoinWith: s.joinWith, Log: s.log})
	return err
}

// Start lets everything run: the node adopts its guests, operations go on, and the ports answer last.
func (s *Server) Start(ctx context.Context) error {
	if err := s.loops.Alone(ctx); err != nil {
		return err
	}
	if s.node != nil {
		if err := s.startNode(ctx); err != nil {
			return err
		}
	}
	s.runner.Start()
	s.runner.Follow(s.db.WatchOperations, s.db.WatchCancels)
	if err := s.startMail(); err != nil {
		return err
	}
	s.serving.Go(func() { s.keyring.run(s.stopping) })
	s.loops.Start()
	if s.node != nil {
		s.loops.Up(s.nodeID, s.node.Agent)
	}
	return s.serve()
}

func (s *Server) startNode(ctx context.Context) error {
	name := s.o.NodeName
	if name == "" {
		name, _ = os.Hostname()
	}
	if err := s.app.RegisterNode(ctx, s.nodeID, name); err != nil {
		return fmt.Errorf("register this node: %w", err)
	}
	if err := s.node.Agent.Start(ctx); err != nil {
		return fmt.Errorf("start the node: %w", err)
	}
	return s.importTiny(ctx)
}

// Wait returns when ctx ends, an administrator ends the platform, or the server cannot go on.
func (s *Server) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case guests := <-s.down:
		if guests && s.node != nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), downTimeout)
			defer cancel()
			return s.node.Agent.StopAll(ctx)
		}
		return nil
	case err := <-s.failed:
		return err
	}
}

// downTimeout bounds how long guests may take to end when the platform is taken down: their own grace and some for the disks.
const downTimeout = 100 * time.Second

// stopTimeout bounds how long a stopping server waits for requests and steps that are under way.
const stopTimeout = 10 * time.Second

// Close stops what Start started and closes what New opened, once. Guests run on.
func (s *Server) Close() error {
	s.closing.Do(func() { s.closed = s.shutDown() })
	return s.closed
}

func (s *Server) shutDown() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	s.api.Close()
	for _, h := range s.servers {
		if h.Shutdown(ctx) != nil {
			h.Close()
		}
	}
	s.hub.Close()
	if s.peers != nil {
		s.peers.Close()
	}
	close(s.stopping)
	s.serving.Wait()
	return errors.Join(s.loops.Stop(ctx), s.runner.Stop(ctx), s.closeAll())
}

// closeAll closes in the reverse order of opening.
func (s *Server) closeAll() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}
