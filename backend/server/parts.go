package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"novacron/backend/agent"
	"novacron/backend/agent/remote"
	"novacron/backend/app"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/image"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/fetch"
	"novacron/backend/storage"
	"novacron/backend/store"
)

// What stands here fits one package's part to another's interface, and nothing else.

// roster finds nodes: those that dialled in or are in this process, then those that another server reaches.
type roster struct {
	hub   *remote.Hub
	peers *remote.Peers // nil: there are no other servers
}

func (r *roster) Node(ctx context.Context, n id.Node) (agent.API, bool) {
	if r.hub == nil {
		return nil, false
	}
	if api, ok := r.hub.Node(n); ok || r.peers == nil {
		return api, ok
	}
	return r.peers.Node(ctx, n)
}

// imageFiles is the server's image cache as the verbs see it.
type imageFiles struct {
	cache *storage.Cache
	peers *remote.Peers // nil: there are no other servers
}

func (f imageFiles) Import(ctx context.Context, name string, o app.ImportOptions, progress func(float64, string)) (app.ImageInfo, error) {
	in, size, err := openSized(name)
	if err != nil {
		return app.ImageInfo{}, err
	}
	defer in.Close()
	i, err := f.cache.Import(ctx, in, storage.ImportOptions{Name: o.Name, OS: o.OS, Arch: o.Arch, Firmware: o.Firmware, Checksum: o.Checksum, Size: size,
		Progress: func(p storage.Progress) {
			if progress != nil {
				progress(share(p.Done, p.Total), p.Phase)
			}
		}})
	if err != nil {
		return app.ImageInfo{}, err
	}
	return app.ImageInfo{Digest: i.Digest, OS: i.OS, Arch: i.Arch, Format: string(i.Format), Firmware: i.Firmware, Cmdline: i.Cmdline, Bytes: i.Bytes,
		VirtualBytes: i.VirtualBytes, MinMemoryMiB: i.MinMemoryMiB, MinDiskGiB: i.MinDiskGiB}, nil
}

func (f imageFiles) Find(ctx context.Context, name string) (string, error) {
	in, _, err := openSized(name)
	if err != nil {
		return "", err
	}
	defer in.Close()
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return "", err
	}
	i, ok := f.cache.BySource("sha256:" + hex.EncodeToString(h.Sum(nil)))
	if !ok {
		return "", fault.New(fault.NotFound, "image_unknown", "no image was made from this file")
	}
	return i.Digest, nil
}

// openSized opens a regular file: a named pipe or a device in its place would hold the import for ever.
func openSized(name string) (*os.File, int64, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0, fault.New(fault.NotFound, "file_missing", "the file to import is not there")
	}
	if err != nil {
		return nil, 0, err
	}
	fi, err := f.Stat()
	if err != nil || !fi.Mode().IsRegular() {
		f.Close()
		return nil, 0, fault.Wrap(err, fault.Invalid, "file_irregular", "what is to be imported is not a regular file")
	}
	return f, fi.Size(), nil
}

func share(done, total int64) float64 {
	if total <= 0 {
		return 0
	}
	return min(float64(done)/float64(total), 1)
}

// Remove deletes the files here and on every other server: which of them has a copy is written nowhere.
func (f imageFiles) Remove(ctx context.Context, digest string) error {
	if f.peers != nil {
		if err := f.peers.DropImage(ctx, digest); err != nil {
			return err
		}
	}
	return drop(f.cache, digest)
}

func drop(cache *storage.Cache, digest string) error {
	err := cache.Remove(digest)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// downloads is the guarded HTTP client as the verbs see it.
type downloads struct{ *fetch.Client }

func (d downloads) Download(ctx context.Context, url string, dst *os.File, progress func(done, total int64)) error {
	_, err := d.Client.Download(ctx, url, dst, progress)
	return err
}

func newDownloads(s Settings) (downloads, error) {
	allow, err := prefixes(s.ImportAllow, "NOVACRON_IMPORT_ALLOW")
	// Plain HTTP carries images that somebody could change on the way; it is for networks that an administrator named.
	return downloads{fetch.New(fetch.Config{Allow: allow, PlainHTTP: len(allow) > 0})}, err
}

func prefixes(list, setting string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		p, err := netip.ParsePrefix(part)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is not a network; write it like 10.0.0.0/8", setting, part)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// makers is the catalogue of official images. The checksum of the day comes from the maker over TLS.
type makers struct {
	get     downloads
	staging string
}

func (m makers) Entries() []wire.CatalogueEntry {
	var out []wire.CatalogueEntry
	for _, o := range image.Catalogue() {
		out = append(out, wire.CatalogueEntry{Name: entryID(o), Title: o.Title, OS: o.OS, Arch: o.Arch, URL: o.URL, Login: o.Login, MinMemoryMiB: o.MinMemory, MinDiskGiB: o.MinDisk})
	}
	return out
}

// entryID is the image's name on machines of its architecture, and tells the architecture elsewhere.
func entryID(o image.Official) string {
	if o.Arch == hostArch() {
		return o.Name
	}
	return o.Name + "-" + string(o.Arch)
}

func hostArch() vm.Arch {
	if runtime.GOARCH == "arm64" {
		return vm.AArch64
	}
	return vm.X86_64
}

func (m makers) Find(ctx context.Context, entry string) (url, checksum string, err error) {
	for _, o := range image.Catalogue() {
		if entryID(o) == entry {
			checksum, err = m.checksum(ctx, o)
			return o.URL, checksum, err
		}
	}
	return "", "", fault.New(fault.NotFound, "catalogue_entry", "the catalogue has no image %q; `novacron image catalogue` lists them", entry)
}

func (m makers) checksum(ctx context.Context, o image.Official) (string, error) {
	f, err := os.CreateTemp(m.staging, "sums-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := m.get.Download(ctx, o.SumsURL, f, nil); err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.NewSectionReader(f, 0, image.MaxSumsBytes))
	if err != nil {
		return "", err
	}
	sum := image.FindSum(text, path.Base(o.URL), o.Sum)
	if sum == "" {
		return "", fault.New(fault.Unavailable, "checksum_missing", "the maker of %s publishes no checksum for %s; try later, or import it by URL with a checksum of your own", o.Title, path.Base(o.URL))
	}
	return sum, nil
}

// keyPEM is the certificate authority of the nodes as it is stored.
type keyPEM struct {
	Cert []byte `json:"cert"`
	Key  []byte `json:"key"`
}

// openCA gives the authority that signs nodes' certificates: one per installation, made by whichever server comes first, encrypted in
// the store.
func openCA(ctx context.Context, db *store.DB, seal *sealer) (*remote.CA, error) {
	stored, err := db.Setting(ctx, store.NodeCA)
	if fault.Is(err, fault.NotFound) {
		stored, err = initCA(ctx, db, seal)
	}
	if err != nil {
		return nil, fmt.Errorf("certificate authority of the nodes: %w", err)
	}
	var pair keyPEM
	plain, err := seal.open(store.NodeCA, stored)
	if err == nil {
		err = json.Unmarshal(plain, &pair)
	}
	if err != nil {
		return nil, fmt.Errorf("certificate authority of the nodes: %w", err)
	}
	return remote.LoadCA(pair.Cert, pair.Key)
}

func initCA(ctx context.Context, db *store.DB, seal *sealer) (stored []byte, err error) {
	ca, err := remote.NewCA(time.Now())
	if err != nil {
		return nil, err
	}
	cert, key := ca.PEM()
	plain, err := json.Marshal(keyPEM{cert, key})
	if err != nil {
		return nil, err
	}
	err = db.Tx(ctx, func(t *store.Tx) error {
		stored, err = t.InitSetting(ctx, store.NodeCA, seal.seal(store.NodeCA, plain))
		return err
	})
	return stored, err
}
