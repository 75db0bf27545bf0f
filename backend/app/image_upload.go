package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/wire"
	"novacron/backend/op"
	"novacron/backend/store"
)

// ImageUpload gives the image with how far its upload is. fault.Conflict: it waits for none.
func (a *App) ImageUpload(ctx context.Context, c auth.Caller, ref string) (wire.Image, error) {
	i, err := findImage(ctx, &a.db.Reader, c, ref)
	if err != nil {
		return wire.Image{}, err
	}
	if _, err := a.db.UploadOf(ctx, i.ID); err != nil {
		return wire.Image{}, noUpload(i, err)
	}
	return imageView(ctx, &a.db.Reader, i)
}

func noUpload(i store.Image, err error) error {
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.Conflict, "no_upload", "image %s waits for no upload", i.Name)
	}
	return err
}

// AppendUpload writes bytes at the offset where the upload is. The offset moves once they are on the disk, so that a client goes on
// from it after any crash. The last byte begins the import, whose operation is in the result.
func (a *App) AppendUpload(ctx context.Context, c auth.Caller, ref string, offset int64, body io.Reader) (ImageResult, error) {
	var i store.Image
	var u store.Upload
	err := a.db.Tx(ctx, func(t *store.Tx) (err error) {
		if i, err = a.ownImage(ctx, t, c, ref); err != nil {
			return err
		}
		if u, err = t.UploadOf(ctx, i.ID); err != nil {
			return noUpload(i, err)
		}
		if u.Offset != offset {
			return fault.New(fault.Conflict, "upload_offset", "the upload of %s is at byte %d, not %d; go on from there", i.Name, u.Offset, offset)
		}
		if offset > 0 || u.Server == a.d.Self {
			return nil
		}
		u.Server = a.d.Self
		return t.PlaceUpload(ctx, u.ID, u.Server)
	})
	if err != nil {
		return ImageResult{}, err
	}
	written, failed := a.stageAnywhere(ctx, u, offset, body)
	var result ImageResult
	err = a.db.Tx(context.WithoutCancel(ctx), func(t *store.Tx) error {
		to := offset + written
		if err := t.AdvanceUpload(ctx, u.ID, u.Server, offset, to, a.now().Add(uploadLifetime)); err != nil {
			return err
		}
		var begun *op.Record
		if to == u.Bytes && failed == nil {
			o, err := a.beginImport(ctx, t, c, i, importing{Staged: u.Staging, Server: u.Server, Options: ImportOptions{Checksum: u.Digest}})
			if err != nil {
				return err
			}
			begun = &o
		}
		result, err = imageResult(ctx, t, i, begun)
		return err
	})
	if failed != nil {
		return ImageResult{}, failed
	}
	return result, err
}

// stageAnywhere writes body where the bytes before it are: each request of an upload may come to another server.
func (a *App) stageAnywhere(ctx context.Context, u store.Upload, offset int64, body io.Reader) (written int64, err error) {
	if u.Server == a.d.Self || u.Server == "" || a.d.Peers == nil {
		return a.stage(u, offset, body)
	}
	written, err = a.d.Peers.Stage(ctx, u.Server, u.ID, offset, io.LimitReader(body, u.Bytes-offset+1)) // one more tells an upload that is too long
	return min(max(written, 0), u.Bytes-offset), err
}

// StageUpload is the part of AppendUpload that another server asks of the one that has the bytes before.
func (a *App) StageUpload(ctx context.Context, upload id.Upload, offset int64, body io.Reader) (written int64, err error) {
	u, err := a.db.Upload(ctx, upload)
	if err != nil {
		return 0, err
	}
	if u.Server != a.d.Self || u.Offset != offset {
		return 0, fault.New(fault.Conflict, "upload_offset", "the upload does not go on at byte %d of this server; ask for the offset and go on from there", offset)
	}
	return a.stage(u, offset, body)
}

// OpenStaged opens the bytes of an image that is not imported yet. fault.NotFound: there are none on this server.
func (a *App) OpenStaged(image id.Image) (io.ReadSeekCloser, error) {
	f, err := os.Open(a.staged(string(image)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "upload_lost", "the bytes of this image are not on the server's disk any more; delete the image and upload it again")
	}
	return f, err
}

// stage writes body behind offset and syncs it. What a broken connection brought counts too. Nothing behind offset is thrown away before
// the end: a request whose line broke unnoticed may still be about to acknowledge it, and is overwritten with the same bytes.
func (a *App) stage(u store.Upload, offset int64, body io.Reader) (written int64, err error) {
	if err := a.roomFor(u.Bytes - offset); err != nil {
		return 0, err
	}
	f, err := os.OpenFile(a.staged(u.Staging), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, diskFault(err)
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || fi.Size() < offset {
		return 0, fault.Wrap(err, fault.Conflict, "upload_lost", "the first %d bytes of the upload are not on this server's disk any more; delete the image and upload it again", offset)
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return 0, diskFault(err)
	}
	room := u.Bytes - offset
	written, err = io.CopyBuffer(struct{ io.Writer }{f}, io.LimitReader(body, room), make([]byte, uploadChunk))
	if written == room {
		err = errors.Join(err, f.Truncate(u.Bytes)) // what is longer was never acknowledged
	}
	if sync := f.Sync(); sync != nil {
		return 0, diskFault(sync)
	}
	if err != nil {
		if errors.Is(err, syscall.ENOSPC) {
			return written, diskFault(err)
		}
		return written, fault.Wrap(err, fault.Unavailable, "upload_broken", "the upload broke off; ask for the offset and go on from there")
	}
	var one [1]byte
	if n, _ := io.ReadFull(body, one[:]); n > 0 && written == room {
		return written, fault.New(fault.TooLarge, "upload_too_long", "the upload is longer than the %d bytes that were announced", u.Bytes)
	}
	return written, nil
}

// stagingReserve is what uploads leave free on their disk: the database and the journals of guests often share it, and a full disk would
// stop them for as long as the upload waits to go on.
const stagingReserve = 16 << 20

// roomFor refuses before the first byte what would not fit. What a broken request left behind the offset is counted as taken, which errs
// on the safe side.
func (a *App) roomFor(bytes int64) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(a.d.Staging, &st); err != nil {
		return fmt.Errorf("staging folder: %w", err)
	}
	free := max(int64(st.Bavail)*st.Bsize-stagingReserve, 0)
	if bytes > free {
		return fault.New(fault.Exhausted, "disk_full", "the image needs %d MiB more and the server's disk has room for %d; free some room and go on", (bytes+1<<20-1)>>20, free>>20)
	}
	return nil
}

func diskFault(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fault.Wrap(err, fault.Unavailable, "disk_full", "the server's disk for images is full; free some room and go on")
	}
	return fmt.Errorf("staging folder: %w", err)
}

// staged is a path in the staging folder; names there are ids and never come from users.
func (a *App) staged(name string) string { return filepath.Join(a.d.Staging, filepath.Base(name)) }

func (a *App) removeStaged(name string) {
	if name == "" {
		return
	}
	if err := os.Remove(a.staged(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.log.Warn("remove a staged image", "err", err)
	}
}
