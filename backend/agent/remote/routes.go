package remote

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"regexp"
	"time"

	"novacron/backend/agent"
	"novacron/backend/core/fault"
)

// What nodes ask of the server, as JSON.
type (
	joinRequest struct {
		JoinInfo
		Secret string `json:"secret"`
		CSR    []byte `json:"csr"`
	}
	renewRequest struct {
		CSR []byte `json:"csr"`
	}
	certificate struct {
		PEM   string        `json:"pem"`
		Lasts time.Duration `json:"lasts"` // from now on, so that the node's clock does not matter
	}
	leaseRequest struct {
		Seq   int64  `json:"seq"`
		Place string `json:"place"` // agent.Place of the node's identity
	}
)

const maxCSR = 8 << 10

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// routes are the whole of what a node can ask: a certificate for itself, a lease for itself, and images.
func (h *Hub) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /join", h.join)
	mux.HandleFunc("POST /renew", h.renew)
	mux.HandleFunc("POST /lease", h.lease)
	mux.HandleFunc("GET /images/{digest}", h.image)
	return mux
}

func (h *Hub) join(w http.ResponseWriter, r *http.Request) {
	deadline(w)
	var q joinRequest
	if err := decode(r.Body, &q); err != nil {
		h.refuse(w, r, err)
		return
	}
	// Everything that can be wrong is looked at before the token is used up.
	csr, err := parseCSR(q.CSR)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	q.Hostname = q.Hostname[:min(len(q.Hostname), 253)]
	q.Key = csr.RawSubjectPublicKeyInfo
	q.Address, _, _ = net.SplitHostPort(r.RemoteAddr)
	node, err := h.o.Redeem(r.Context(), q.Secret, q.JoinInfo)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	der, err := h.o.CA.issue(node, csr, h.o.Now())
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	h.o.Log.Info("a node has joined", "node", node, "hostname", q.Hostname, "address", q.Address)
	h.certify(w, der)
}

// renew is the one thing that a certificate within its grace still allows.
func (h *Hub) renew(w http.ResponseWriter, r *http.Request) {
	deadline(w)
	who, err := h.o.CA.identify(*r.TLS, h.o.Now())
	if err == nil {
		err = h.o.Admit(r.Context(), who.node)
	}
	var q renewRequest
	if err == nil {
		err = decode(r.Body, &q)
	}
	var csr *x509.CertificateRequest
	if err == nil {
		csr, err = parseCSR(q.CSR)
	}
	var der []byte
	if err == nil {
		der, err = h.o.CA.issue(who.node, csr, h.o.Now())
	}
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	h.certify(w, der)
}

func (h *Hub) certify(w http.ResponseWriter, der []byte) {
	reply(w, valueOf(certificate{PEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), Lasts: NodeLife}))
}

func (h *Hub) lease(w http.ResponseWriter, r *http.Request) {
	deadline(w)
	who, err := h.admit(r.Context(), *r.TLS)
	var q leaseRequest
	if err == nil {
		err = decode(r.Body, &q)
	}
	if err == nil {
		err = h.claim(r.Context(), who.node, q.Place, r.RemoteAddr)
	}
	var d time.Duration
	if err == nil {
		d, err = h.o.Lease(r.Context(), who.node, q.Seq)
	}
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	reply(w, valueOf(agent.Lease{Node: who.node, Seq: q.Seq, Duration: d}))
}

// image sends an image, from where the node's Range header says.
func (h *Hub) image(w http.ResponseWriter, r *http.Request) {
	who, err := h.admit(r.Context(), *r.TLS)
	digest := r.PathValue("digest")
	if err == nil && !digestForm.MatchString(digest) {
		err = fault.New(fault.Invalid, "digest_invalid", "this is not the digest of an image")
	}
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	w.Header().Set("Etag", `"`+digest+`"`)
	h.serve(w, r, func() (io.ReadSeekCloser, error) { return h.o.Image(r.Context(), who.node, digest) })
}

// patient gives each piece of a long answer its own deadline: an image may take hours, a peer that takes nothing may not.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (p patient) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return 0, err
	}
	return p.ResponseWriter.Write(b)
}

// deadline bounds a short request as a whole.
func deadline(w http.ResponseWriter) {
	c := http.NewResponseController(w)
	c.SetReadDeadline(time.Now().Add(callWait))
	c.SetWriteDeadline(time.Now().Add(callWait))
}

// refuse answers with a fault. What went wrong inside stays in the server's log.
func (h *Hub) refuse(w http.ResponseWriter, r *http.Request, err error) {
	h.o.Log.Info("a node's request is refused", "path", r.URL.Path, "caller", r.RemoteAddr, "err", err)
	e := toWire(err)
	e.Cause = ""
	status := http.StatusForbidden
	switch e.Kind {
	case fault.Unavailable, fault.Internal, fault.RateLimited:
		status = http.StatusServiceUnavailable
	case fault.NotFound:
		status = http.StatusNotFound
	}
	w.WriteHeader(status)
	reply(w, answer{Error: e})
}

func parseCSR(der []byte) (*x509.CertificateRequest, error) {
	if len(der) > maxCSR {
		return nil, fault.New(fault.TooLarge, "csr_invalid", "a certificate request has at most %d bytes", maxCSR)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err == nil {
		err = csr.CheckSignature()
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "csr_invalid", "the certificate request cannot be read; are node and server of the same version?")
	}
	return csr, nil
}
