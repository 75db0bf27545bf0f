package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/op"
	"novacron/backend/store"
)

// Limits of an import.
const (
	MaxImageBytes  = int64(1) << 40
	uploadLifetime = 24 * time.Hour // without a byte
	maxOS          = 64
	uploadChunk    = 1 << 20 // bytes that are copied at once
)

// importing is the state of image.import.
type importing struct {
	Image   id.Image      `json:"image"`
	URL     string        `json:"url,omitempty"`
	File    string        `json:"file,omitempty"`   // path on the server that an administrator named
	Staged  string        `json:"staged,omitempty"` // file in the staging folder
	Server  id.Server     `json:"server,omitempty"` // whose disk has the bytes; empty: the only server's
	Options ImportOptions `json:"options"`
	Info    ImageInfo     `json:"info"` // once the catalogue has it
}

// ImportImage adds an image. From a URL, the catalogue or a file of the server the operation begins at once; otherwise the image
// waits for its upload, see AppendUpload.
func (a *App) ImportImage(ctx context.Context, c auth.Caller, r ImportImage) (ImageResult, error) {
	if err := a.checkImport(c, &r); err != nil {
		return ImageResult{}, err
	}
	checksum, err := a.resolveSource(ctx, &r)
	if err != nil {
		return ImageResult{}, err
	}
	if err := a.db.Room(); err != nil {
		return ImageResult{}, err
	}
	return change(ctx, a, c, func(t *store.Tx) (ImageResult, error) {
		i := store.Image{
			ID: id.NewImage(), Tenant: c.Tenant, Name: r.Name, OS: r.OS, Arch: r.Arch, Firmware: r.Firmware, State: store.ImagePending,
			Source: sourceOf(r), Created: a.now(),
		}
		if r.Public {
			i.Tenant = ""
		}
		if err := t.InsertImage(ctx, &i); err != nil {
			return ImageResult{}, err
		}
		staged := string(i.ID)
		if r.URL == "" && r.File == "" {
			u := store.Upload{ID: id.NewUpload(), Image: i.ID, Tenant: i.Tenant, Bytes: r.Bytes, Digest: checksum, Staging: staged, Created: a.now(), Expires: a.now().Add(uploadLifetime)}
			if err := t.InsertUpload(ctx, &u); err != nil {
				return ImageResult{}, err
			}
			if err := audit(t, c, "image.create", i.Tenant, imageSubject(i.ID), map[string]any{"name": i.Name, "public": r.Public, "bytes": r.Bytes}); err != nil {
				return ImageResult{}, err
			}
			return imageResult(ctx, t, i, nil)
		}
		o, err := a.beginImport(ctx, t, c, i, importing{URL: r.URL, File: r.File, Staged: staged, Server: a.d.Self, Options: ImportOptions{Checksum: checksum}})
		if err != nil {
			return ImageResult{}, err
		}
		return imageResult(ctx, t, i, &o)
	})
}

func (a *App) beginImport(ctx context.Context, t *store.Tx, c auth.Caller, i store.Image, s importing) (op.Record, error) {
	s.Image = i.ID
	s.Options.Name, s.Options.OS, s.Options.Arch, s.Options.Firmware = i.Name, i.OS, i.Arch, i.Firmware
	return a.begin(ctx, t, c, i.Tenant, "image.import", imageSubject(i.ID), i.Name, s, map[string]any{"after": map[string]any{"name": i.Name}})
}

// sourceOf says where an image is from, to everybody who sees it: without the query of an address, which may be what lets its holder in.
func sourceOf(r ImportImage) string {
	switch {
	case r.Catalogue != "":
		return "catalogue: " + r.Catalogue
	case r.URL != "":
		address, _, _ := strings.Cut(r.URL, "#")
		address, _, _ = strings.Cut(address, "?")
		return address
	case r.File != "":
		return "a file of the server"
	}
	return "upload"
}

func (a *App) checkImport(c auth.Caller, r *ImportImage) error {
	if err := auth.May(c, auth.WriteImage, c.Tenant); err != nil {
		return err
	}
	if r.Public || r.File != "" {
		if err := auth.May(c, auth.WritePlatform, ""); err != nil {
			return err
		}
	}
	if err := checkLabel("image", r.Name); err != nil {
		return err
	}
	if vm.IsDigest(r.Name) {
		return fault.New(fault.Invalid, "", "the name has the form of a digest; pick another").On("name")
	}
	sources := 0
	for _, given := range []bool{r.URL != "", r.File != "", r.Catalogue != "", r.Bytes != 0} {
		if given {
			sources++
		}
	}
	switch {
	case sources != 1:
		return fault.New(fault.Invalid, "", "say where the image comes from: exactly one of url, catalogue, or bytes for an upload").On("url")
	case r.Bytes < 0 || r.Bytes > MaxImageBytes:
		return fault.New(fault.Invalid, "", "an image has up to %d bytes", MaxImageBytes).On("bytes")
	case len(r.OS) > maxOS:
		return fault.New(fault.Invalid, "", "the name of the operating system has up to %d characters", maxOS).On("os")
	case r.Arch != "" && r.Arch != vm.X86_64 && r.Arch != vm.AArch64:
		return fault.New(fault.Invalid, "", "the architecture is %s or %s", vm.X86_64, vm.AArch64).On("arch")
	case r.Firmware != "" && r.Firmware != vm.BIOS && r.Firmware != vm.UEFI && r.Firmware != vm.Direct:
		return fault.New(fault.Invalid, "", "the firmware is %s, %s or %s", vm.BIOS, vm.UEFI, vm.Direct).On("firmware")
	case r.Checksum != "" && !isChecksum(r.Checksum):
		return fault.New(fault.Invalid, "", "a checksum is sha256: or sha512: and hexadecimal digits").On("checksum")
	case r.File != "" && !filepath.IsAbs(r.File):
		return fault.New(fault.Invalid, "", "a file of the server is named by its whole path").On("file")
	}
	return nil
}

func isChecksum(s string) bool {
	kind, digits, _ := strings.Cut(s, ":")
	length := map[string]int{"sha256": 64, "sha512": 128}[kind]
	return length != 0 && len(digits) == length && strings.Trim(digits, "0123456789abcdef") == ""
}

// resolveSource turns a catalogue entry into its URL, and refuses a URL that cannot work before anything is recorded.
func (a *App) resolveSource(ctx context.Context, r *ImportImage) (checksum string, err error) {
	checksum = r.Checksum
	if r.Catalogue != "" {
		if a.d.Catalogue == nil {
			return "", fault.New(fault.Unsupported, "no_catalogue", "this server has no catalogue; import from a URL").On("catalogue")
		}
		url, sum, err := a.d.Catalogue.Find(ctx, r.Catalogue)
		if err != nil {
			return "", err
		}
		r.URL = url
		if checksum == "" {
			checksum = sum
		}
	}
	if r.URL != "" {
		if a.d.Fetch == nil {
			return "", fault.New(fault.Unsupported, "no_fetch", "this server does not download; upload the image").On("url")
		}
		return checksum, a.d.Fetch.Check(r.URL)
	}
	return checksum, nil
}

// CatalogueEntries lists what the catalogue offers.
func (a *App) CatalogueEntries(c auth.Caller) ([]wire.CatalogueEntry, error) {
	if err := auth.May(c, auth.ReadImage, c.Tenant); err != nil || a.d.Catalogue == nil {
		return []wire.CatalogueEntry{}, err
	}
	return list(a.d.Catalogue.Entries()), nil
}

func (a *App) importImage() *op.Definition {
	return op.Define("image.import",
		op.Do("Fetch the bytes", a.fetchImage).Undo(a.unfetchImage),
		op.Do("Check and convert the image", a.takeImage).Undo(a.untakeImage),
		op.Do("List it", a.listImage).Undo(a.delist),
		op.Do("Clear the staging folder away", a.cleanStaging).NoUndo("the bytes are in the catalogue, or gone by the undo of the first step"),
	)
}

func (a *App) fetchImage(ctx context.Context, r op.Run, s *importing) error {
	if s.URL == "" {
		return a.bringBytes(ctx, r, s)
	}
	f, err := os.OpenFile(a.staged(s.Staged), os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return diskFault(err)
	}
	defer f.Close()
	err = a.d.Fetch.Download(ctx, s.URL, f, func(done, total int64) {
		share := 0.0
		if total > 0 {
			share = float64(done) / float64(total)
		}
		r.Progress(share, fmt.Sprintf("%d MiB fetched", done>>20))
	})
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return diskFault(err)
	}
	s.Server = a.d.Self
	return nil
}

// bringBytes makes sure that the bytes are on this server's disk. Another server may have taken the upload, or have run the step before.
func (a *App) bringBytes(ctx context.Context, r op.Run, s *importing) error {
	switch {
	case s.Server == a.d.Self || s.Server == "" || a.d.Peers == nil:
		return nil
	case s.URL != "":
		return a.fetchImage(ctx, r, s)
	case s.File != "":
		return fault.New(fault.Unavailable, "file_elsewhere", "the file is on the disk of server %s, which has to import it", s.Server)
	}
	from, err := a.d.Peers.Staged(ctx, s.Server, s.Image)
	if err != nil {
		return err
	}
	defer from.Close()
	f, err := os.OpenFile(a.staged(s.Staged), os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return diskFault(err)
	}
	defer f.Close()
	if _, err := io.Copy(f, from); err != nil {
		return fault.Wrap(diskFault(err), fault.Unavailable, "upload_not_brought", "the bytes of the upload cannot be brought here from server %s; it is tried again", s.Server)
	}
	if err := f.Sync(); err != nil {
		return diskFault(err)
	}
	s.Server = a.d.Self // the other one clears its staging folder by itself
	return nil
}

// unfetchImage removes the row too: the verb that made it has no undo of its own. An upload that turned out to be no image keeps
// its row with the reason, so that its user learns it from the list as well.
func (a *App) unfetchImage(ctx context.Context, r op.Run, s *importing) error {
	a.removeStaged(s.Staged)
	return a.fenced(ctx, r, func(t *store.Tx) error {
		return t.DeleteImage(ctx, s.Image)
	})
}

func (a *App) takeImage(ctx context.Context, r op.Run, s *importing) error {
	if err := a.bringBytes(ctx, r, s); err != nil {
		return err
	}
	info, err := a.d.Images.Import(ctx, a.bytesOf(s), s.Options, r.Progress)
	if err != nil {
		return err
	}
	s.Info = info
	return nil
}

// untakeImage removes the files unless another image has the same content. A crash may have come between the import and the
// saving of its digest, so the catalogue is asked what it made of the bytes.
func (a *App) untakeImage(ctx context.Context, _ op.Run, s *importing) error {
	digest := s.Info.Digest
	if digest == "" {
		var err error
		if digest, err = a.d.Images.Find(ctx, a.bytesOf(s)); fault.Is(err, fault.NotFound) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return a.dropUnlisted(ctx, digest)
}

// dropUnlisted deletes the files of a content that no image in the list has.
func (a *App) dropUnlisted(ctx context.Context, digest string) error {
	same, err := a.db.ImagesByDigest(ctx, digest)
	if err != nil || len(same) > 0 {
		return err
	}
	return a.d.Images.Remove(ctx, digest)
}

func (a *App) bytesOf(s *importing) string {
	if s.File != "" {
		return s.File
	}
	return a.staged(s.Staged)
}

// delist makes the image one that waits again, so that the undo before it sees no use of the content.
func (a *App) delist(ctx context.Context, r op.Run, s *importing) error {
	return a.fenced(ctx, r, func(t *store.Tx) error {
		i, err := t.Image(ctx, s.Image)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := a.notNeeded(ctx, t, i); i.Digest != "" && err != nil {
			return err
		}
		i.Digest, i.Checksum, i.State = "", "", store.ImagePending
		return t.UpdateImage(ctx, &i)
	})
}

func (a *App) listImage(ctx context.Context, r op.Run, s *importing) error {
	err := a.fenced(ctx, r, func(t *store.Tx) error {
		i, err := t.Image(ctx, s.Image)
		if err != nil || i.State == store.ImageReady {
			return err
		}
		n := s.Info
		i.Checksum = s.Options.Checksum // the import refuses bytes that have another one
		i.Digest, i.Arch, i.Format, i.Firmware, i.Cmdline = n.Digest, n.Arch, n.Format, n.Firmware, n.Cmdline
		i.Bytes, i.VirtualBytes, i.MinMemoryMiB, i.MinDiskGiB = n.Bytes, n.VirtualBytes, n.MinMemoryMiB, n.MinDiskGiB
		if n.OS != "" {
			i.OS = n.OS
		}
		i.State, i.StateReason = store.ImageReady, ""
		if err := t.UpdateImage(ctx, &i); err != nil {
			return err
		}
		u, err := t.UploadOf(ctx, i.ID)
		if err == nil {
			err = t.DeleteUpload(ctx, u.ID)
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		return t.Emit("image.ready", i.Tenant, imageSubject(i.ID), map[string]any{"name": i.Name, "digest": i.Digest})
	})
	return err
}

// cleanStaging is a step of its own: the bytes are needed as long as the import may be undone.
func (a *App) cleanStaging(_ context.Context, _ op.Run, s *importing) error {
	a.removeStaged(s.Staged)
	return nil
}
