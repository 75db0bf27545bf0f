package app

import (
	"context"
	"strings"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
	"novacron/backend/core/wire"
	"novacron/backend/op"
	"novacron/backend/store"
)

// ListImages gives a page of the caller's and the public images.
func (a *App) ListImages(ctx context.Context, c auth.Caller, r ListImages) (wire.List[wire.Image], error) {
	tenant, err := scope(c, auth.ReadImage, "")
	if err != nil {
		return wire.List[wire.Image]{}, err
	}
	page, err := a.db.ListImages(ctx, store.ImageFilter{Tenant: tenant, Name: r.Name}, r.page())
	if err != nil {
		return wire.List[wire.Image]{}, err
	}
	views := wire.List[wire.Image]{NextCursor: page.Next, Total: page.Total, Items: []wire.Image{}}
	for _, i := range page.Items {
		w, err := imageView(ctx, &a.db.Reader, i)
		if err != nil {
			return wire.List[wire.Image]{}, err
		}
		views.Items = append(views.Items, w)
	}
	return views, nil
}

// Image gives one image by id, digest or name.
func (a *App) Image(ctx context.Context, c auth.Caller, ref string) (wire.Image, error) {
	i, err := findImage(ctx, &a.db.Reader, c, ref)
	if err != nil {
		return wire.Image{}, err
	}
	return imageView(ctx, &a.db.Reader, i)
}

// findImage reads an image of the caller's tenant or a public one.
func findImage(ctx context.Context, r *store.Reader, c auth.Caller, ref string) (i store.Image, err error) {
	if err := auth.May(c, auth.ReadImage, c.Tenant); err != nil {
		return i, err
	}
	switch {
	case strings.HasPrefix(ref, "img-") && id.Is(ref):
		i, err = r.Image(ctx, id.Image(ref))
	case vm.IsDigest(ref):
		i, err = byDigest(ctx, r, c, ref)
	default:
		i, err = r.ImageByName(ctx, c.Tenant, ref)
	}
	if err == nil && i.Tenant != "" {
		err = auth.May(c, auth.ReadImage, i.Tenant)
	}
	if fault.Is(err, fault.NotFound) {
		return store.Image{}, fault.New(fault.NotFound, "image_not_found", "there is no image %.80q; list the images to see their names", ref)
	}
	return i, err
}

func byDigest(ctx context.Context, r *store.Reader, c auth.Caller, digest string) (store.Image, error) {
	all, err := r.ImagesByDigest(ctx, digest)
	if err != nil {
		return store.Image{}, err
	}
	for _, i := range all {
		if i.Tenant == "" || auth.May(c, auth.ReadImage, i.Tenant) == nil {
			return i, nil
		}
	}
	return store.Image{}, fault.New(fault.NotFound, "image_not_found", "there is no such image")
}

// imageView shows an image; one that waits for its bytes says how far they are.
func imageView(ctx context.Context, r *store.Reader, i store.Image) (wire.Image, error) {
	w := wire.Image{
		ID: i.ID, Name: i.Name, Tenant: i.Tenant, Digest: i.Digest, Checksum: i.Checksum, OS: i.OS, Arch: i.Arch, Format: i.Format, Firmware: i.Firmware,
		Bytes: i.Bytes, VirtualBytes: i.VirtualBytes, MinMemoryMiB: i.MinMemoryMiB, MinDiskGiB: i.MinDiskGiB, Source: i.Source,
		StateReason: i.StateReason, CreatedAt: i.Created, Version: i.Version,
	}
	switch i.State {
	case store.ImageReady:
		w.State = "ready"
	case store.ImageFailed:
		w.State = "error"
	default:
		w.State = "importing"
		u, err := r.UploadOf(ctx, i.ID)
		if fault.Is(err, fault.NotFound) {
			return w, nil
		}
		if err != nil {
			return w, err
		}
		w.UploadOffset, w.UploadBytes = u.Offset, u.Bytes
		if u.Bytes == 0 || u.Offset < u.Bytes {
			w.State = "uploading"
		}
	}
	return w, nil
}

// unmaking is the state of image.delete.
type unmaking struct {
	Image  id.Image `json:"image"`
	Digest string   `json:"digest"`
}

func imageSubject(i id.Image) string { return "image/" + string(i) }

// DeleteImage removes an image that no VM starts from.
func (a *App) DeleteImage(ctx context.Context, c auth.Caller, ref string) (ImageResult, error) {
	return change(ctx, a, c, func(t *store.Tx) (ImageResult, error) {
		i, err := a.ownImage(ctx, t, c, ref)
		if err != nil {
			return ImageResult{}, err
		}
		if i.Digest != "" {
			if err := a.notNeeded(ctx, t, i); err != nil {
				return ImageResult{}, err
			}
		}
		o, err := a.begin(ctx, t, c, i.Tenant, "image.delete", imageSubject(i.ID), i.Name, unmaking{Image: i.ID, Digest: i.Digest}, map[string]any{"before": map[string]any{"name": i.Name}})
		if err != nil {
			return ImageResult{}, err
		}
		return imageResult(ctx, t, i, &o)
	})
}

func imageResult(ctx context.Context, t *store.Tx, i store.Image, o *op.Record) (ImageResult, error) {
	w, err := imageView(ctx, &t.Reader, i)
	if err != nil || o == nil {
		return ImageResult{Image: w}, err
	}
	ov := operationView(*o)
	return ImageResult{Image: w, Operation: &ov}, nil
}

// ownImage finds an image that the caller may change: their tenant's, or a public one for administrators.
func (a *App) ownImage(ctx context.Context, t *store.Tx, c auth.Caller, ref string) (store.Image, error) {
	i, err := findImage(ctx, &t.Reader, c, ref)
	if err != nil {
		return i, err
	}
	if i.Tenant == "" {
		return i, auth.May(c, auth.WritePlatform, "")
	}
	return i, auth.May(c, auth.WriteImage, i.Tenant)
}

// notNeeded refuses to take away the content that disks rest on. Another image of the same content keeps it.
func (a *App) notNeeded(ctx context.Context, t *store.Tx, i store.Image) error {
	same, err := t.ImagesByDigest(ctx, i.Digest)
	if err != nil || len(same) > 1 {
		return err
	}
	n, err := t.VMsNeeding(ctx, i.Digest)
	if err == nil && n > 0 {
		return fault.New(fault.Conflict, "image_in_use", "disks of VMs rest on image %s (%d of them); delete those VMs first", i.Name, n)
	}
	return err
}

func (a *App) deleteImage() *op.Definition {
	const why = "what was deleted cannot be brought back; asking again goes on with it"
	return op.Define("image.delete",
		op.Do("Let no VM start from it any more", a.retireImage).NoUndo(why),
		op.Do("Delete its files", a.dropFiles).NoUndo(why),
		op.Do("Take it out of the list", a.delistImage).NoUndo(why),
	)
}

// retireImage looks again whether a VM came in between; from then on none can. The row stays until the files are gone, so that a
// delete that failed can be asked for again.
func (a *App) retireImage(ctx context.Context, r op.Run, s *unmaking) error {
	return a.fenced(ctx, r, func(t *store.Tx) error {
		i, err := t.Image(ctx, s.Image)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if i.Digest != "" {
			if err := a.notNeeded(ctx, t, i); err != nil {
				return err
			}
		}
		if i.State == store.ImageFailed && i.StateReason == beingDeleted {
			return nil
		}
		i.State, i.StateReason = store.ImageFailed, beingDeleted
		return t.UpdateImage(ctx, &i)
	})
}

const beingDeleted = "it is being deleted"

func (a *App) delistImage(ctx context.Context, r op.Run, s *unmaking) error {
	return a.fenced(ctx, r, func(t *store.Tx) error {
		i, err := t.Image(ctx, s.Image)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := t.DeleteImage(ctx, i.ID); err != nil {
			return err
		}
		return t.Emit("image.deleted", i.Tenant, imageSubject(i.ID), map[string]any{"name": i.Name})
	})
}

// dropFiles deletes the content unless another image has it, and what came of an unfinished upload.
func (a *App) dropFiles(ctx context.Context, _ op.Run, s *unmaking) error {
	a.removeStaged(string(s.Image))
	if s.Digest == "" {
		return nil
	}
	same, err := a.db.ImagesByDigest(ctx, s.Digest)
	if err != nil {
		return err
	}
	for _, i := range same {
		if i.ID != s.Image {
			return nil
		}
	}
	return a.d.Images.Remove(ctx, s.Digest)
}
