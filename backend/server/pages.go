package server

import (
	"net/http"

	"novacron/frontend"
)

// pages is the web console out of the binary.
func (s *Server) pages() http.Handler { return frontend.Handler() }
