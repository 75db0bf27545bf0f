package api

import (
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// contentPolicy lets a browser that shows an answer load and run nothing.
const contentPolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// secure sets the headers that keep browsers from doing harm with an answer.
func (a *API) secure(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-XSS-Protection", "1; mode=block")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Cache-Control", "no-store")
	a.StayEncrypted(w, r)
}

// StayEncrypted tells a browser that came by TLS to come by nothing else for a year.
func (a *API) StayEncrypted(w http.ResponseWriter, r *http.Request) {
	if r.TLS == nil {
		return
	}
	policy := "max-age=31536000"
	if a.HSTSSubdomains {
		policy += "; includeSubDomains"
	}
	w.Header().Set("Strict-Transport-Security", policy)
}

// cors answers browsers of other origins: those on the list may read, preflights are answered here. It reports whether the
// request is done with.
func (a *API) cors(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	allowed := a.allowed(origin, r)
	if allowed {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Expose-Headers", "Location, ETag, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Upload-Offset, X-Request-Id")
	}
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	if allowed {
		h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Novacron-Tenant, Upload-Offset, X-Request-Id")
		h.Set("Access-Control-Max-Age", strconv.Itoa(600)) // seconds: Chromium's own cap is 7200
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// allowed reports whether a browser's page of the origin may call: the public URL's, those on the list, and the request's own
// host, which is the console on a port of this server.
func (a *API) allowed(origin string, r *http.Request) bool {
	o := strings.ToLower(origin)
	if a.origins[o] {
		return true
	}
	u, err := url.Parse(o)
	return err == nil && u.Host != "" && u.Host == strings.ToLower(r.Host) && (u.Scheme == "http" || u.Scheme == "https")
}

// clientAddress is the address of the client: the peer's, or what trusted proxies say it was. X-Forwarded-For is read from
// the right, since everything left of a proxy that is not trusted may be made up.
func clientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // a pipe or a unix socket
	}
	addr := peer.Addr().Unmap().WithZone("")
	var hops []string
	for _, line := range r.Header.Values("X-Forwarded-For") {
		hops = append(hops, strings.Split(line, ",")...)
	}
	for i := len(hops) - 1; i >= 0 && within(addr, trusted); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = next.Unmap().WithZone("")
	}
	return addr
}

func within(a netip.Addr, nets []netip.Prefix) bool {
	for _, n := range nets {
		if n.Contains(a) {
			return true
		}
	}
	return false
}
