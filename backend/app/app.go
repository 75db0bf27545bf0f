// Package app is the verbs: what people and programs can ask of the platform. A verb checks who asks and what, records what is
// wanted in one transaction with its operation and its event, and returns. What acts on the world are the steps of that
// operation, which stand beside the verb and run under op.Runner, again after a crash and on any server. Observe takes what
// nodes see. The package deliberately knows no HTTP and no driver.
package app

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"

	"novacron/backend/agent"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/op"
	"novacron/backend/session"
	"novacron/backend/store"
)

// Deps is what the verbs stand on. Store and Nodes must be given, the rest where its verbs are used.
type Deps struct {
	Store     *store.DB
	Nodes     Nodes
	Images    Images
	Fetch     Fetcher
	Catalogue Catalogue
	Tickets   session.Tickets
	Self      id.Server    // this server among those on the database; empty: there are no others
	Peers     Peers        // nil: likewise
	Server    store.Server // this server as ListServers shows it where there are no others
	Staging   string       // folder of unfinished uploads and downloads, mode 0700; made when it is missing

	// CheckUserData refuses cloud-init data that a guest could not read; nil: only its size and encoding are checked.
	CheckUserData func(string) error
	// Quota refuses what would take a tenant beyond its share. It runs in the transaction that adds it, under the lock
	// "quota/<tenant>"; nil: there are no quotas.
	Quota func(ctx context.Context, t *store.Tx, tenant id.Tenant, more store.VMTotals) error

	FirstUID int              // of the guests' unprivileged users; 0: DefaultFirstUID
	UIDs     int              // how many there are; 0: DefaultUIDs
	Log      *slog.Logger     // nil: slog.Default
	Now      func() time.Time // nil: time.Now
}

// Guests' unprivileged users: above what distributions, container tools and directory services hand out.
const (
	DefaultFirstUID = 2_000_000_000
	DefaultUIDs     = 1_000_000
)

// Nodes finds the nodes that are connected now.
type Nodes interface {
	// Node gives a node, on this server's connection or through the server that has one; false: no server has one.
	Node(ctx context.Context, n id.Node) (agent.API, bool)
}

// Images keeps the files of the catalogue on the server, by digest.
type Images interface {
	// Import takes the bytes at path into the catalogue: the format is decided from the bytes, what is unsafe is refused, and
	// the result is converted where needed. It may be repeated. Path stays as it is.
	Import(ctx context.Context, path string, o ImportOptions, progress func(done float64, sentence string)) (ImageInfo, error)
	// Find gives the digest that an Import of the bytes at path has ended with. fault.NotFound: none has, or path is gone.
	Find(ctx context.Context, path string) (digest string, err error)
	// Remove deletes the files of a digest; absent is success.
	Remove(ctx context.Context, digest string) error
}

// Peers reaches the disks of the other servers on the database. fault.Unavailable: the server does not answer.
type Peers interface {
	// Stage writes bytes of an upload behind offset on the server that has those before, and says how many are on its disk, also when
	// it fails.
	Stage(ctx context.Context, server id.Server, upload id.Upload, offset int64, body io.Reader) (written int64, err error)
	// Staged opens the bytes of an image that is not imported yet on the server that has them. fault.NotFound: it has none.
	Staged(ctx context.Context, server id.Server, image id.Image) (io.ReadSeekCloser, error)
}

// ImportOptions is what a user said of an image. Empty fields: as the image says.
type ImportOptions struct {
	Name     string
	OS       string
	Arch     vm.Arch
	Firmware vm.Firmware
	Checksum string // sha256:… or sha512:… of the bytes at path
}

// ImageInfo is what the catalogue learned of an image.
type ImageInfo struct {
	Digest       string // of the bytes that nodes fetch
	OS           string
	Arch         vm.Arch
	Format       string // raw, iso, qcow2 or bundle
	Firmware     vm.Firmware
	Cmdline      string // of a bundle's kernel
	Bytes        int64
	VirtualBytes int64
	MinMemoryMiB int
	MinDiskGiB   int
}

// Fetcher downloads images by URL.
type Fetcher interface {
	// Check refuses a URL that could not be downloaded whatever answers there.
	Check(url string) error
	// Download writes what the URL gives to dst, from its start. total is 0 while it is not known.
	Download(ctx context.Context, url string, dst *os.File, progress func(done, total int64)) error
}

// Catalogue knows the images that their makers publish.
type Catalogue interface {
	// Entries lists them.
	Entries() []wire.CatalogueEntry
	// Find gives where an entry's bytes are and their checksum, which may be fetched from the maker. fault.NotFound: there is no
	// such entry.
	Find(ctx context.Context, entry string) (url, checksum string, err error)
}

// App is the verbs. Its methods may be called from several goroutines.
type App struct {
	d      Deps
	db     *store.DB
	log    *slog.Logger
	now    func() time.Time
	defs   map[string]*op.Definition
	follow follower
	copies copies
}

// New makes the verbs. It reads and writes nothing yet; see Prepare.
func New(d Deps) (*App, error) {
	if d.Store == nil || d.Nodes == nil {
		return nil, fault.New(fault.Invalid, "app_deps", "the app cannot be made without a store and the nodes")
	}
	a := &App{d: d, db: d.Store, log: d.Log, now: d.Now, defs: map[string]*op.Definition{}, follow: follower{db: d.Store}}
	if a.log == nil {
		a.log = slog.Default()
	}
	if a.now == nil {
		a.now = time.Now
	}
	if a.d.FirstUID == 0 {
		a.d.FirstUID = DefaultFirstUID
	}
	if a.d.UIDs == 0 {
		a.d.UIDs = DefaultUIDs
	}
	for _, d := range a.definitions() {
		a.defs[d.Kind()] = d
	}
	return a, nil
}

// definitions lists every operation of the platform.
func (a *App) definitions() []*op.Definition {
	return []*op.Definition{
		a.createVM(), a.cloneVM(), a.deleteVM(), a.updateVM(), a.forceStopVM(),
		a.startVM(), a.stopVM(), a.restartVM(), a.pauseVM(), a.resumeVM(), a.suspendVM(),
		a.createSnapshot(), a.revertSnapshot(), a.deleteSnapshot(),
		a.importImage(), a.deleteImage(),
	}
}

// Definitions gives what op.Runner runs.
func (a *App) Definitions() []*op.Definition {
	defs := make([]*op.Definition, 0, len(a.defs))
	for _, d := range a.definitions() {
		defs = append(defs, a.defs[d.Kind()])
	}
	return defs
}

// fenced runs a step's transaction, which holds only while the step's runner still has the operation. op.ErrFenced: it was taken over,
// and nothing was written.
func (a *App) fenced(ctx context.Context, r op.Run, f func(*store.Tx) error) error {
	return a.db.Tx(ctx, func(t *store.Tx) error {
		if err := t.Guard(ctx, r.ID(), r.Fence()); err != nil {
			return err
		}
		return f(t)
	})
}
