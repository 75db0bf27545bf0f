// Package frontend serves the web console that `npm run build` left in dist. The files are part of the binary; beside each that
// shrinks lies its .br and .gz, so that nothing is compressed while somebody waits.
//
// A binary that was built without Node has an empty dist. It serves one page that says so, since everything that the console
// does can be done on the command line.
package frontend

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed all:dist
var built embed.FS

// policy lets the page run its own files and nothing else. Styles in elements are refused too: the console sets them by rules
// and properties only.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; " +
	"manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// absent is the page of a build without a console.
const absent = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>NovaCron</title>
<h1>NovaCron</h1>
<p>This build has no web console; use the command line: <code>novacron --help</code>.</p>
<p>To have one, build with Node 24 or newer: <code>make build</code>. The API is described at <a href="/api/docs">/api/docs</a>.</p>
</html>
`

// Built reports whether this build has the console.
func Built() bool {
	_, err := fs.Stat(built, "dist/index.html")
	return err == nil
}

// Handler serves the console's files, and its page for every path that is a place in it. A file that is missing is 404, never
// the page: a browser with an old page would take the page for a script. Whoever speaks TLS adds Strict-Transport-Security.
func Handler() http.Handler {
	files, err := fs.Sub(built, "dist")
	if err != nil {
		panic(err) // dist is a valid path
	}
	return handler(files)
}

func handler(files fs.FS) http.Handler {
	_, err := fs.Stat(files, "index.html")
	s := site{files: files, empty: err != nil}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-XSS-Protection", "1; mode=block")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		s.serve(w, r)
	})
}

type site struct {
	files fs.FS
	empty bool
}

func (s site) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "pages are read with GET", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	switch {
	case s.empty:
		w.Header().Set("Cache-Control", "no-cache")
		write(w, r, "index.html", []byte(absent))
	case name != "" && name != "index.html" && s.has(name):
		// The build puts a hash of the content into the names below assets: such a file never changes.
		if strings.HasPrefix(name, "assets/") {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			w.Header().Set("Cache-Control", "no-cache")
		}
		s.file(w, r, name)
	case name != "index.html" && (name == "assets" || strings.HasPrefix(name, "assets/") || path.Ext(name) != ""):
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "there is no such file in this version of the console; load the page again", http.StatusNotFound)
	default:
		w.Header().Set("Cache-Control", "no-cache")
		s.file(w, r, "index.html")
	}
}

// has reports whether a file was built; the compressed twins and hidden files are nobody's to ask for.
func (s site) has(name string) bool {
	switch path.Ext(name) {
	case ".br", ".gz":
		return false
	}
	i, err := fs.Stat(s.files, name)
	return err == nil && i.Mode().IsRegular() && !strings.HasPrefix(path.Base(name), ".")
}

// file sends a file in the smallest form that the browser takes.
func (s site) file(w http.ResponseWriter, r *http.Request, name string) {
	w.Header().Add("Vary", "Accept-Encoding")
	for _, e := range []struct{ coding, ext string }{{"br", ".br"}, {"gzip", ".gz"}} {
		if !accepts(r, e.coding) {
			continue
		}
		if body, err := fs.ReadFile(s.files, name+e.ext); err == nil {
			w.Header().Set("Content-Encoding", e.coding)
			write(w, r, name, body)
			return
		}
	}
	body, err := fs.ReadFile(s.files, name)
	if err != nil {
		http.Error(w, "the file cannot be read", http.StatusInternalServerError)
		return
	}
	write(w, r, name, body)
}

// accepts reports whether Accept-Encoding takes a coding. A weight of zero is a refusal.
func accepts(r *http.Request, coding string) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if !strings.EqualFold(strings.TrimSpace(name), coding) {
			continue
		}
		q, has := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		weight, err := strconv.ParseFloat(q, 64)
		return !has || err != nil || weight > 0
	}
	return false
}

// types names the content by itself, since the table of a machine may lack or bend an entry.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml", ".png": "image/png", ".woff2": "font/woff2", ".json": "application/json",
	".txt": "text/plain; charset=utf-8", ".webmanifest": "application/manifest+json",
}

func write(w http.ResponseWriter, r *http.Request, name string, body []byte) {
	h := w.Header()
	kind, ok := types[path.Ext(name)]
	if !ok {
		kind = "application/octet-stream"
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		w.Write(body) // the browser may be gone
	}
}
