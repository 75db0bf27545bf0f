package server

import "net/http"

// pages answers for the web console.
func (s *Server) pages() http.Handler { return http.NotFoundHandler() }
