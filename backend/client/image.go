package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
)

const images = "/api/v1/images"

// Images is a page of the images.
func (c *Client) Images(ctx context.Context, l ListOptions) (out wire.List[wire.Image], err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: images, query: l.values(), out: &out})
	return out, err
}

// Image is one image, by id or name.
func (c *Client) Image(ctx context.Context, ref string) (out wire.Image, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: path(images, ref), out: &out})
	return out, err
}

// Catalogue lists the images that makers publish and CreateImage can import.
func (c *Client) Catalogue(ctx context.Context) (out wire.List[wire.CatalogueEntry], err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/api/v1/catalogue", out: &out})
	return out, err
}

// CreateImage begins an import, or an upload that UploadImage goes on with.
func (c *Client) CreateImage(ctx context.Context, r wire.CreateImage, wait time.Duration) (out wire.ImageAnswer, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: images, query: waiting(wait), body: r, out: &out})
	return out, err
}

// DeleteImage removes an image that no VM needs.
func (c *Client) DeleteImage(ctx context.Context, ref string, wait time.Duration) (out wire.OperationAnswer, err error) {
	_, err = c.do(ctx, call{method: http.MethodDelete, path: path(images, ref), query: waiting(wait), out: &out})
	return out, err
}

// chunk is how much of an upload one request carries: what is lost at most when the line breaks.
const chunk = 16 << 20

// uploadTries is how often an upload goes on after its line broke without any byte getting through.
const uploadTries = 5

// UploadImage sends the content of an image that CreateImage began, going on where an earlier try ended. The last part begins
// the import, whose operation the answer holds. progress, which may be nil, is told the bytes that have arrived.
func (c *Client) UploadImage(ctx context.Context, ref string, content io.ReaderAt, size int64, progress func(done, total int64)) (wire.ImageAnswer, error) {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	failed := 0
	for {
		offset, err := c.uploadOffset(ctx, ref)
		if err != nil {
			return wire.ImageAnswer{}, err
		}
		for {
			progress(offset, size)
			part := io.NewSectionReader(content, offset, min(chunk, size-offset))
			out, next, err := c.append(ctx, ref, offset, part)
			if err == nil && next >= size {
				progress(size, size)
				return out, nil
			}
			if err != nil {
				if failed++; !resumable(err) || failed == uploadTries {
					return out, err
				}
				break // ask how much has arrived
			}
			failed, offset = 0, next
		}
		select {
		case <-ctx.Done():
			return wire.ImageAnswer{}, ctx.Err()
		case <-time.After(firstPause << failed):
		}
	}
}

// resumable reports whether asking for the offset and going on can help: the line broke, or an earlier request's bytes
// arrived after all.
func resumable(err error) bool {
	f, ok := errors.AsType[*fault.Error](err)
	return ok && (f.Kind == fault.Unavailable || f.Code == "upload_offset")
}

func (c *Client) uploadOffset(ctx context.Context, ref string) (int64, error) {
	res, err := c.do(ctx, call{method: http.MethodHead, path: path(images, ref, "data")})
	if err != nil {
		return 0, err
	}
	return offsetOf(res)
}

func offsetOf(res *http.Response) (int64, error) {
	offset, err := strconv.ParseInt(res.Header.Get("Upload-Offset"), 10, 64)
	if err != nil || offset < 0 {
		return 0, fmt.Errorf("the server did not say how much of the upload has arrived")
	}
	return offset, nil
}

func (c *Client) append(ctx context.Context, ref string, offset int64, part *io.SectionReader) (out wire.ImageAnswer, next int64, err error) {
	for refreshed := false; ; refreshed = true {
		token := c.Tokens().Access
		res, err := c.send(ctx, ref, offset, part, token, &out)
		if stale(err) && !refreshed && c.refresh(ctx, token) == nil {
			continue
		}
		if err != nil {
			return out, 0, err
		}
		next, err = offsetOf(res)
		return out, next, err
	}
}

func (c *Client) send(ctx context.Context, ref string, offset int64, part *io.SectionReader, token string, out *wire.ImageAnswer) (*http.Response, error) {
	req, err := c.request(ctx, call{method: http.MethodPatch, path: path(images, ref, "data")}, token)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/offset+octet-stream")
	req.Header.Set("Upload-Offset", strconv.FormatInt(offset, 10))
	body := io.NewSectionReader(part, 0, part.Size())
	req.Body, req.ContentLength = io.NopCloser(body), part.Size()
	res, raw, err := c.exchange(ctx, req)
	if err != nil {
		return res, err
	}
	return res, decode(raw, out)
}
