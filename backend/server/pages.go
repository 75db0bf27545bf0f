package server

import (
	"net/http"

	"novacron/frontend"
)

// HasConsole reports whether this build has the web console.
func HasConsole() bool { return frontend.Built() }

// pages is the web console out of the binary.
func (s *Server) pages() http.Handler { return frontend.Handler() }
