//lint:file-ignore SA1019 net/http cannot call over a connection of a protocol of our own; x/net can

package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/storage"
)

// Disk is what other servers may use of a server's disk: images by digest, and the bytes of images on their way in.
type Disk interface {
	// Image opens an image that this server has. fault.NotFound: it has none.
	Image(ctx context.Context, digest string) (io.ReadSeekCloser, error)
	// DropImage deletes this server's files of an image; absent is success.
	DropImage(ctx context.Context, digest string) error
	// Staged opens the bytes of an image that is not imported yet. fault.NotFound: there are none here.
	Staged(ctx context.Context, image id.Image) (io.ReadSeekCloser, error)
	// Stage writes bytes of an upload behind offset, and says how many are on the disk, also when it fails.
	Stage(ctx context.Context, upload id.Upload, offset int64, body io.Reader) (written int64, err error)
}

// diskRoutes are what other servers can ask of this one's disk.
func (h *Hub) diskRoutes(mux *http.ServeMux) {
	d := h.o.Disk
	if d == nil {
		return
	}
	mux.HandleFunc("GET /images/{digest}", func(w http.ResponseWriter, r *http.Request) {
		h.serve(w, r, func() (io.ReadSeekCloser, error) { return d.Image(r.Context(), r.PathValue("digest")) })
	})
	mux.HandleFunc("GET /staged/{image}", func(w http.ResponseWriter, r *http.Request) {
		h.serve(w, r, func() (io.ReadSeekCloser, error) { return d.Staged(r.Context(), id.Image(r.PathValue("image"))) })
	})
	mux.HandleFunc("DELETE /images/{digest}", func(w http.ResponseWriter, r *http.Request) {
		reply(w, answer{Error: toWire(d.DropImage(r.Context(), r.PathValue("digest")))})
	})
	mux.HandleFunc("POST /uploads/{upload}/{offset}", func(w http.ResponseWriter, r *http.Request) {
		offset, err := strconv.ParseInt(r.PathValue("offset"), 10, 64)
		if err != nil || offset < 0 {
			refuseCall(w, fault.New(fault.Invalid, "message_invalid", "an upload goes on at a byte, not at %.40q", r.PathValue("offset")))
			return
		}
		written, err := d.Stage(r.Context(), id.Upload(r.PathValue("upload")), offset, r.Body)
		a := valueOf(written)
		a.Error = toWire(err)
		reply(w, a)
	})
}

// serve sends a file, from where the Range header says.
func (h *Hub) serve(w http.ResponseWriter, r *http.Request, open func() (io.ReadSeekCloser, error)) {
	file, err := open()
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	defer file.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(patient{w, http.NewResponseController(w)}, r, "", time.Time{}, file)
}

// Image opens an image that another server has, read over the network as it is needed. fault.NotFound: none has it;
// fault.Unavailable: none that can be reached.
func (p *Peers) Image(ctx context.Context, digest string) (io.ReadSeekCloser, error) {
	if !digestForm.MatchString(digest) {
		return nil, fault.New(fault.Invalid, "digest_invalid", "this is not the digest of an image")
	}
	others, err := p.others(ctx)
	if err != nil {
		return nil, err
	}
	type found struct {
		file *farFile
		err  error
	}
	answers := make(chan found, len(others))
	for _, s := range others {
		go func() {
			f, err := p.find(ctx, s, "/images/"+digest)
			answers <- found{f, err}
		}()
	}
	err = fault.New(fault.NotFound, "image_not_found", "no server has the image %s", digest)
	for range others {
		a := <-answers
		if a.err == nil {
			return a.file, nil
		}
		if !fault.Is(a.err, fault.NotFound) {
			err = a.err
		}
	}
	return nil, err
}

// Staged opens the bytes of an image that is not imported yet on the server that has them.
func (p *Peers) Staged(ctx context.Context, server id.Server, image id.Image) (io.ReadSeekCloser, error) {
	s, err := p.other(ctx, server)
	if err != nil {
		return nil, err
	}
	f, err := p.find(ctx, s, "/staged/"+string(image))
	if err != nil {
		return nil, err
	}
	return f, nil
}

// DropImage deletes an image's files on all other servers. One that cannot be reached is an error; one that is gone for good is
// forgotten after a while.
func (p *Peers) DropImage(ctx context.Context, digest string) error {
	others, err := p.others(ctx)
	if err != nil {
		return err
	}
	for _, s := range others {
		if _, e := p.ask(ctx, s, http.MethodDelete, "/images/"+digest, nil); e != nil {
			err = errors.Join(err, e)
		}
	}
	return err
}

// Stage writes bytes of an upload on the server that has those before offset.
func (p *Peers) Stage(ctx context.Context, server id.Server, upload id.Upload, offset int64, body io.Reader) (written int64, err error) {
	s, err := p.other(ctx, server)
	if err != nil {
		return 0, err
	}
	a, err := p.ask(ctx, s, http.MethodPost, fmt.Sprintf("/uploads/%s/%d", upload, offset), body)
	if len(a.Value) > 0 {
		if e := json.Unmarshal(a.Value, &written); e != nil {
			return 0, e
		}
	}
	return written, err
}

func (p *Peers) others(ctx context.Context) ([]Held, error) {
	all, err := p.o.Servers(ctx)
	if err != nil {
		return nil, err
	}
	var others []Held
	for _, s := range all {
		if s.Server != p.o.Self {
			p.know(s.Server, s.Address)
			others = append(others, s)
		}
	}
	return others, nil
}

func (p *Peers) other(ctx context.Context, server id.Server) (Held, error) {
	others, err := p.others(ctx)
	if err != nil {
		return Held{}, err
	}
	for _, s := range others {
		if s.Server == server {
			return s, nil
		}
	}
	return Held{}, fault.New(fault.Unavailable, "server_gone", "server %s, whose disk has the bytes, is not running; start it again", server)
}

const onItsDisk = "whose disk is needed"

// ask makes one request with one answer.
func (p *Peers) ask(ctx context.Context, s Held, method, path string, body io.Reader) (a answer, err error) {
	q, err := http.NewRequestWithContext(ctx, method, "https://"+string(s.Server)+path, body)
	if err != nil {
		return a, err
	}
	resp, err := p.files.RoundTrip(q)
	if err != nil {
		return a, lostServer(ctx, err, s.Server, onItsDisk)
	}
	defer resp.Body.Close()
	if err := decode(resp.Body, &a); err != nil {
		return answer{}, err
	}
	return a, a.Error.err()
}

// find looks whether a server has a file.
func (p *Peers) find(ctx context.Context, s Held, path string) (*farFile, error) {
	f := &farFile{ctx: ctx, p: p, server: s.Server, path: path}
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	resp, err := f.get(ctx, 0, 0)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	var from, to int64
	if _, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &f.size); err != nil {
		return nil, fmt.Errorf("server %s does not say how long %s is: %w", s.Server, path, err)
	}
	return f, nil
}

// farFile is a file of another server, read over the network from wherever it is sought to.
type farFile struct {
	ctx      context.Context
	p        *Peers
	server   id.Server
	path     string
	size, at int64
	body     io.ReadCloser // from at on; nil: not opened
}

// get asks for the bytes from one to another, both included; to -1: all.
func (f *farFile) get(ctx context.Context, from, to int64) (*http.Response, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+string(f.server)+f.path, nil)
	if err != nil {
		return nil, err
	}
	q.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	if to >= 0 {
		q.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, to))
	}
	resp, err := f.p.files.RoundTrip(q)
	if err != nil {
		return nil, lostServer(ctx, err, f.server, onItsDisk)
	}
	if resp.StatusCode == http.StatusPartialContent {
		return resp, nil
	}
	defer resp.Body.Close()
	if err := statusError(resp); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("server %s answered %s to the request for %s", f.server, resp.Status, f.path)
}

// Read implements io.Reader. A transfer that stands still for stallWait is an error.
func (f *farFile) Read(b []byte) (int, error) {
	if f.at >= f.size {
		return 0, io.EOF
	}
	if f.body == nil {
		resp, err := f.get(f.ctx, f.at, -1)
		if err != nil {
			return 0, err
		}
		f.body = stallGuard(resp.Body)
	}
	n, err := f.body.Read(b)
	f.at += int64(n)
	if err == io.EOF && f.at < f.size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Seek implements io.Seeker.
func (f *farFile) Seek(offset int64, whence int) (int64, error) {
	offset, err := storage.Sought(f.at, f.size, offset, whence)
	if err != nil {
		return 0, err
	}
	if offset != f.at {
		f.Close()
	}
	f.at = offset
	return offset, nil
}

// Close ends the transfer.
func (f *farFile) Close() error {
	if f.body == nil {
		return nil
	}
	err := f.body.Close()
	f.body = nil
	return err
}
