// Package app is the verbs: what people and programs can ask of the platform. A verb checks who asks and what, and records
// what is wanted in one transaction with its operation and its event; then it returns. What acts on the world are the steps of
// that operation, which stand beside the verb and run under op.Runner, again after a crash and on any server. Observe takes what
// nodes see. The package deliberately knows no HTTP, no driver and no clock but Deps.Now.
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
	"novacron/backend/session"
	"novacron/backend/store"
)

// Deps is what the verbs stand on. Store and Nodes must be given, the rest where its verbs are used.
type Deps struct {
	Store   *store.DB
	Nodes   Nodes
	Images  Images
	Fetch   Fetcher
	Tickets session.Tickets
	Staging string // folder of unfinished uploads and downloads, mode 0700, on the disk of Images

	// CheckUserData refuses cloud-init data that a guest could not read; nil: only its size and encoding are checked.
	CheckUserData func(string) error
	// Root reports whether guests get unprivileged users of their own. Without root all run as the agent's user.
	FirstUID int // of guests' unprivileged users; 0: DefaultFirstUID
	Log      *slog.Logger
	Now      func() time.Time // nil: time.Now
}

// Nodes finds the nodes that are connected now.
type Nodes interface {
	// Node gives the connection of a node; false: it is not connected to any server that this one can reach.
	Node(n id.Node) (agent.API, bool)
}

// Images keeps the files of the catalogue on the server, by digest.
type Images interface {
	// Import takes the bytes at path into the catalogue: the format is decided from the bytes, what is unsafe is refused, and
	// the result is converted where needed. It may be repeated. Path stays as it is.
	Import(ctx context.Context, path string, o ImportOptions, progress func(done float64, sentence string)) (ImageInfo, error)
	// Remove deletes the files of a digest; absent is success.
	Remove(ctx context.Context, digest string) error
}

// ImportOptions is what a user said of an image.
type ImportOptions struct {
	Name     string
	OS       string
	Arch     vm.Arch
	Firmware vm.Firmware
	Checksum string
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
	// Download writes what the URL gives to dst.
	Download(ctx context.Context, url string, dst *os.File, progress func(done, total int64)) error
}

// App is the verbs. Its methods may be called from several goroutines.
type App struct {
	db      *store.DB
	nodes   Nodes
	images  Images
	fetch   Fetcher
	tickets session.Tickets
	staging string
	userDat func(string) error
	uids    int
	log     *slog.Logger
	now     func() time.Time
}

// New makes the verbs. It reads and writes nothing yet; see Prepare.
func New(d Deps) (*App, error) {
	if d.Store == nil || d.Nodes == nil {
		return nil, fault.New(fault.Invalid, "app_deps", "the app cannot be made without a store and the nodes")
	}
	a := &App{db: d.Store, nodes: d.Nodes, images: d.Images, fetch: d.Fetch, tickets: d.Tickets, staging: d.Staging,
		userDat: d.CheckUserData, uids: d.FirstUID, log: d.Log, now: d.Now}
	if a.log == nil {
		a.log = slog.Default()
	}
	if a.now == nil {
		a.now = time.Now
	}
	if a.uids == 0 {
		a.uids = DefaultFirstUID
	}
	if a.userDat == nil {
		a.userDat = func(string) error { return nil }
	}
	return a, nil
}

// DefaultFirstUID is where the unprivileged users of guests begin: above what distributions and container tools hand out.
const DefaultFirstUID = 2_000_000_000

// DefaultGraceS is how many seconds a guest has to act on ACPI.
const DefaultGraceS = 90

var _ io.Reader
