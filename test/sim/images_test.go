package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"novacron/backend/core/wire"
)

// uploadBytes is the length of an upload, which goes in two requests.
const uploadBytes = 64 << 10

// disk is the content of an upload: a master boot record of its own.
func disk(key string) []byte {
	b := make([]byte, uploadBytes)
	copy(b, key)
	b[446+4], b[446+8], b[446+12] = 0x83, 1, 100 // one partition
	b[510], b[511] = 0x55, 0xaa
	return b
}

// upload makes an image and sends its bytes, each request to the next server, and goes on where the line broke.
func (w *world) upload(q request, name string) {
	q.verb, q.method, q.path, q.body = "import", http.MethodPost, "/api/v1/images", map[string]any{"name": name, "bytes": uploadBytes}
	w.people.Go(func() {
		content, offset := disk(q.key), 0
		image, a := "", answer{request: q}
		for try := 0; try < callTries && w.ctx.Err() == nil && a.operation == ""; try++ {
			if try > 0 {
				time.Sleep(callPause)
				q.server = (q.server + 1) % len(w.hosts)
			}
			if image == "" {
				status, raw, _ := w.part(q.server, http.MethodPost, q.path, q.key, 0, q.body)
				if image = made(status, raw); image == "" {
					if status >= 400 && status < 500 && status != http.StatusTooManyRequests {
						break // the name is taken
					}
					continue
				}
			}
			path := "/api/v1/images/" + image + "/data"
			status, _, head := w.part(q.server, http.MethodHead, path, "", 0, nil)
			if status == http.StatusNotFound {
				break // somebody deleted it
			}
			if status != http.StatusOK {
				continue
			}
			if _, err := fmt.Sscan(head.Get("Upload-Offset"), &offset); err != nil || offset > len(content) {
				w.broken("%s has %q bytes of %d", image, head.Get("Upload-Offset"), len(content))
				break
			}
			end := len(content)
			if offset == 0 {
				end /= 2
			}
			status, raw, _ := w.part(q.server, http.MethodPatch, path, "", offset, content[offset:end])
			a.status = status
			var ok wire.ImageAnswer
			if a.acknowledged() && json.Unmarshal(raw, &ok) == nil && ok.Operation != nil {
				a.operation = ok.Operation.ID
			}
		}
		if a.operation != "" {
			w.mu.Lock()
			w.answers = append(w.answers, a)
			w.mu.Unlock()
		}
		w.note("people", "%s import %s %s: %d %s", q.key, name, image, a.status, a.operation)
	})
}

// made is the id of the image that an answer tells of.
func made(status int, raw []byte) string {
	var i wire.Image
	if status != http.StatusCreated || json.Unmarshal(raw, &i) != nil {
		return ""
	}
	return string(i.ID)
}

// part makes one request of an upload; content is bytes of the image, or what is sent as JSON.
func (w *world) part(server int, method, path, key string, offset int, content any) (status int, answer []byte, head http.Header) {
	ctx, cancel := context.WithTimeout(w.ctx, callPatience)
	defer cancel()
	raw, isBytes := content.([]byte)
	if !isBytes && content != nil {
		raw, _ = json.Marshal(content)
	}
	r, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("http://s%d%s", server+1, path), bytes.NewReader(raw))
	w.must(err)
	r.Header.Set("Authorization", "Bearer "+w.token)
	switch {
	case isBytes:
		r.Header.Set("Content-Type", "application/offset+octet-stream")
		r.Header.Set("Upload-Offset", fmt.Sprint(offset))
	case content != nil:
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", key)
	}
	resp, err := w.http.Do(r)
	if err != nil {
		return 0, nil, nil
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, nil
	}
	return resp.StatusCode, answer, resp.Header
}

// imagesAreAsTheAPISays: what is listed as ready lies on a server's disk, and nothing else does.
func (w *world) imagesAreAsTheAPISays() {
	var images wire.List[wire.Image]
	w.get("/api/v1/images?limit=1000", &images)
	listed, there := map[string]string{}, map[string]bool{}
	for _, i := range images.Items {
		if i.State == "ready" {
			listed[strings.TrimPrefix(i.Digest, "sha256:")] = i.Name
		} else if i.State != "uploading" {
			w.broken("image %s is %s (%s) at rest", i.Name, i.State, i.StateReason)
		}
	}
	for _, h := range w.hosts {
		files, err := os.ReadDir(filepath.Join(h.dir, "images"))
		w.must(err)
		for _, f := range files {
			if there[f.Name()] = true; listed[f.Name()] == "" {
				w.broken("%s has %s in its images, and no image is listed with it", h.name, f.Name())
			}
		}
	}
	for digest, name := range listed {
		if !there[digest] {
			w.broken("image %s is ready, and no server has its bytes", name)
		}
	}
}
