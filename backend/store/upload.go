package store

import (
	"context"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Upload is the data of an image on its way in, resumable at Offset.
type Upload struct {
	ID      id.Upload
	Image   id.Image
	Tenant  id.Tenant
	Offset  int64     // bytes that are on the disk
	Bytes   int64     // that are expected; 0: not said
	Digest  string    // that is expected; empty: not said
	Staging string    // file name in the staging folder of Server
	Server  id.Server // whose disk has the bytes; empty: there are none yet
	Created time.Time
	Expires time.Time
}

const uploadColumns = "id, image, tenant, offset_at, bytes, digest, staging, server, created_at, expires_at"

func scanUpload(r row) (u Upload, err error) {
	return u, r.Scan(&u.ID, &u.Image, &u.Tenant, &u.Offset, &u.Bytes, &u.Digest, &u.Staging, &u.Server, stamped{&u.Created}, stamped{&u.Expires})
}

// Upload reads an upload. fault.NotFound: there is none.
func (r *Reader) Upload(ctx context.Context, u id.Upload) (Upload, error) {
	return one(ctx, r, notFound("upload", "upload", u), scanUpload, "select "+uploadColumns+" from uploads where id = $1"+r.lock, u)
}

// UploadOf reads the upload of an image. fault.NotFound: there is none.
func (r *Reader) UploadOf(ctx context.Context, i id.Image) (Upload, error) {
	return one(ctx, r, notFound("upload of image", "upload", i), scanUpload, "select "+uploadColumns+" from uploads where image = $1"+r.lock, i)
}

// InsertUpload adds an upload.
func (t *Tx) InsertUpload(ctx context.Context, u *Upload) error {
	u.Created = orNow(u.Created)
	_, err := t.exec(ctx, "insert into uploads ("+uploadColumns+") values ("+places(1, 10)+")", u.ID, u.Image, u.Tenant, u.Offset, u.Bytes,
		u.Digest, u.Staging, u.Server, stamp(u.Created), stamp(u.Expires))
	return err
}

// AdvanceUpload moves the offset on once the bytes are on the server's disk. fault.Conflict: another request moved it, or placed the
// upload on another server.
func (t *Tx) AdvanceUpload(ctx context.Context, u id.Upload, server id.Server, from, to int64, expires time.Time) error {
	return t.execOne(ctx, fault.New(fault.Conflict, "upload_offset", "the upload is not at this offset; ask for the offset and go on from there"),
		"update uploads set offset_at = $3, expires_at = $4 where id = $1 and offset_at = $2 and $3 >= $2 and server = $5", u, from, to, stamp(expires), server)
}

// PlaceUpload records whose disk has the bytes from now on, as long as there are none.
func (t *Tx) PlaceUpload(ctx context.Context, u id.Upload, s id.Server) error {
	return t.execOne(ctx, fault.New(fault.Conflict, "upload_offset", "the upload has begun already; ask for the offset and go on from there"),
		"update uploads set server = $2 where id = $1 and offset_at = 0", u, s)
}

// DeleteUpload removes an upload; absent is success.
func (t *Tx) DeleteUpload(ctx context.Context, u id.Upload) error {
	_, err := t.exec(ctx, "delete from uploads where id = $1", u)
	return err
}

// ExpiredUploads reads uploads that nobody continued, at most MaxLimit.
func (r *Reader) ExpiredUploads(ctx context.Context, at time.Time) ([]Upload, error) {
	return many(ctx, r, scanUpload, "select "+uploadColumns+" from uploads where expires_at < $1 order by expires_at limit $2", stamp(at), MaxLimit)
}
