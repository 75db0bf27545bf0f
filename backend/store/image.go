package store

import (
	"context"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
)

// ImageState is where an image is.
type ImageState string

// The states. Only a ready image starts VMs.
const (
	ImagePending ImageState = "pending" // waits for its data
	ImageReady   ImageState = "ready"
	ImageFailed  ImageState = "failed" // StateReason says why
)

// Image is an image in the catalogue. An empty Tenant: public.
type Image struct {
	ID           id.Image
	Tenant       id.Tenant
	Name         string // unique in its tenant, whatever the case
	Digest       string // sha256:...; empty while pending
	Checksum     string // that its bytes have as they came; empty: none was given to hold them against
	OS           string
	Arch         vm.Arch
	Format       string // of the stored data: raw, qcow2, iso or kernel
	Firmware     vm.Firmware
	Cmdline      string // with vm.Direct
	Bytes        int64
	VirtualBytes int64
	MinMemoryMiB int
	MinDiskGiB   int
	Source       string // where it came from, for people
	State        ImageState
	StateReason  string
	Version      int64 // counted up by UpdateImage
	Created      time.Time
	Updated      time.Time
}

const imageColumns = `i.id, i.tenant, i.name, i.digest, i.os, i.arch, i.format, i.firmware, i.cmdline, i.bytes, i.virtual_bytes,
	i.min_memory_mib, i.min_disk_gib, i.source, i.state, i.state_reason, i.version, i.created_at, i.updated_at, i.checksum`

func scanImage(r row) (i Image, err error) {
	return i, r.Scan(&i.ID, &i.Tenant, &i.Name, &i.Digest, &i.OS, &i.Arch, &i.Format, &i.Firmware, &i.Cmdline, &i.Bytes,
		&i.VirtualBytes, &i.MinMemoryMiB, &i.MinDiskGiB, &i.Source, &i.State, &i.StateReason, &i.Version, stamped{&i.Created},
		stamped{&i.Updated}, &i.Checksum)
}

// Image reads an image. fault.NotFound: there is none.
func (r *Reader) Image(ctx context.Context, i id.Image) (Image, error) {
	return one(ctx, r, notFound("image", "image", i), scanImage, "select "+imageColumns+" from images i where i.id = $1"+r.lock, i)
}

// ImageByName reads the tenant's image of this name in any case, or else the public one.
func (r *Reader) ImageByName(ctx context.Context, tenant id.Tenant, name string) (Image, error) {
	return one(ctx, r, notFound("image", "image", name), scanImage, "select "+imageColumns+
		" from images i where i.name_folded = $2 and i.tenant in ($1, '') order by i.tenant desc limit 1", tenant, Fold(name))
}

// ImagesByDigest reads every image with this content, of whatever tenant.
func (r *Reader) ImagesByDigest(ctx context.Context, digest string) ([]Image, error) {
	return many(ctx, r, scanImage, "select "+imageColumns+" from images i where i.digest = $1 order by i.created_at, i.id", digest)
}

// ImageFilter narrows a list of images. Zero fields do not.
type ImageFilter struct {
	Tenant id.Tenant // its own and the public ones
	Name   string    // part of the name, in any case
	State  ImageState
	Arch   vm.Arch
}

var imageListing = listing[Image]{
	columns: imageColumns, table: "images i", key: "i.id", order: "name",
	sorts: map[string]sorting[Image]{
		"name":       {"i.name_folded", func(i Image) string { return Fold(i.Name) }},
		"created_at": {"i.created_at", func(i Image) string { return i.Created.Format(timeFormat) }},
	},
	scan:  scanImage,
	keyOf: func(i Image) string { return string(i.ID) },
}

// ListImages gives a page of images, sorted by name or created_at.
func (r *Reader) ListImages(ctx context.Context, f ImageFilter, p Page) (List[Image], error) {
	var where filter
	if f.Tenant != "" {
		where.add("i.tenant in ($%d, '')", f.Tenant)
	}
	where.text("i.state", string(f.State))
	where.text("i.arch", string(f.Arch))
	where.part("i.name_folded", f.Name)
	return list(ctx, r, imageListing, where, p)
}

// InsertImage adds the image. fault.Conflict with code image_name_taken: the tenant has one of this name.
func (t *Tx) InsertImage(ctx context.Context, i *Image) error {
	i.Version, i.Created = 1, orNow(i.Created)
	i.Updated = i.Created
	n, err := t.exec(ctx, `insert into images (id, tenant, name, name_folded, digest, os, arch, format, firmware, cmdline, bytes,
		virtual_bytes, min_memory_mib, min_disk_gib, source, state, state_reason, version, created_at, updated_at, checksum)
		values (`+places(1, 21)+`) on conflict do nothing`, i.ID, i.Tenant, i.Name, Fold(i.Name), i.Digest, i.OS, i.Arch, i.Format,
		i.Firmware, i.Cmdline, i.Bytes, i.VirtualBytes, i.MinMemoryMiB, i.MinDiskGiB, i.Source, i.State, i.StateReason,
		i.Version, stamp(i.Created), stamp(i.Updated), i.Checksum)
	if err == nil && n == 0 {
		return imageNameTaken(i.Name)
	}
	return err
}

func imageNameTaken(name string) *fault.Error {
	return fault.New(fault.Conflict, "image_name_taken", "there is already an image named %q; pick another name or delete that one", name).On("name")
}

// UpdateImage writes everything but id and tenant and counts i.Version up. fault.Precondition: the stored version is not i.Version.
func (t *Tx) UpdateImage(ctx context.Context, i *Image) error {
	i.Updated = now()
	n, err := t.exec(ctx, `update images set name = $3, name_folded = $4, digest = $5, os = $6, arch = $7, format = $8, firmware = $9,
		cmdline = $10, bytes = $11, virtual_bytes = $12, min_memory_mib = $13, min_disk_gib = $14, source = $15, state = $16,
		state_reason = $17, updated_at = $18, checksum = $19, version = version + 1 where id = $1 and version = $2`, i.ID, i.Version, i.Name,
		Fold(i.Name), i.Digest, i.OS, i.Arch, i.Format, i.Firmware, i.Cmdline, i.Bytes, i.VirtualBytes, i.MinMemoryMiB, i.MinDiskGiB,
		i.Source, i.State, clean(i.StateReason, maxSentence), stamp(i.Updated), i.Checksum)
	if err != nil && t.db.dialect.classify(err) == unique {
		return imageNameTaken(i.Name)
	}
	if err == nil && n == 0 {
		return edited("image", i.Name)
	}
	if err == nil {
		i.Version++
	}
	return err
}

// DeleteImage removes an image and its uploads; absent is success.
func (t *Tx) DeleteImage(ctx context.Context, i id.Image) error {
	_, err := t.exec(ctx, "delete from images where id = $1", i)
	return err
}
