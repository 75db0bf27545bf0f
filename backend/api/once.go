package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"time"

	"novacron/backend/app"
	"novacron/backend/core/fault"
)

// Bounds of an Idempotency-Key and of the answer kept for it.
const (
	maxKeyLength = 128
	maxKept      = 512 << 10
)

// keptHeaders are what an answer needs to be repeated.
var keptHeaders = []string{"Content-Type", "Location", "Etag"}

// keeper copies an answer while it is written.
type keeper struct {
	buf  bytes.Buffer
	over bool
}

func (k *keeper) add(p []byte) {
	if k.buf.Len()+len(p) > maxKept {
		k.over = true
		return
	}
	k.buf.Write(p)
}

// once answers a POST with an Idempotency-Key: the work is done for the first, the others get its answer. Answers that a
// second try may change (5xx, 429, 401) are not kept.
func (a *API) once(w *recorder, r *http.Request, hold time.Duration) {
	key := r.Header.Get("Idempotency-Key")
	if !printable(key) || len(key) > maxKeyLength {
		writeProblem(w, r, fault.New(fault.Invalid, "idempotency_key_invalid", "an Idempotency-Key is 1 to %d printable ASCII characters", maxKeyLength).On("Idempotency-Key"))
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		writeProblem(w, r, err)
		return
	}
	sum := sha256.New()
	io.WriteString(sum, r.Method+" "+r.URL.Path+"\n")
	sum.Write(body)
	hash := hex.EncodeToString(sum.Sum(nil))
	c := caller(r.Context())
	reply, err := a.App.Once(r.Context(), c, key, hash, handlerTime+hold)
	if err != nil {
		writeProblem(w, r, err)
		return
	}
	if reply != nil {
		repeat(w, reply)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	w.copy = &keeper{}
	settled := false
	// The client may be gone by now, and a panic may be on its way up: the key must be settled all the same.
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), handlerTime)
		defer cancel()
		if !settled || w.copy.over || w.status >= 500 || w.status == http.StatusTooManyRequests || w.status == http.StatusUnauthorized {
			err = a.App.Forget(ctx, c, key)
		} else {
			err = a.App.Keep(ctx, c, key, hash, kept(w))
		}
		if err != nil {
			a.Log.Warn("idempotency key was not settled", "request", requestID(ctx), "err", err)
		}
	}()
	// The verb marks the key as done in its own transaction, for a server that dies before Keep.
	a.mux.ServeHTTP(w, r.WithContext(app.WithOnce(r.Context(), key, hash)))
	settled = true
}

func kept(w *recorder) app.Reply {
	reply := app.Reply{Status: w.status, Header: map[string]string{}, Body: w.copy.buf.Bytes()}
	for _, h := range keptHeaders {
		if v := w.Header().Get(h); v != "" {
			reply.Header[h] = v
		}
	}
	return reply
}

func repeat(w http.ResponseWriter, reply *app.Reply) {
	for k, v := range reply.Header {
		w.Header().Set(k, v)
	}
	w.Header().Set("Idempotent-Replayed", "true")
	w.WriteHeader(reply.Status)
	w.Write(reply.Body)
}

func printable(s string) bool {
	for _, c := range []byte(s) {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return s != ""
}
