package cli

import (
	"testing"

	"novacron/backend/server"
)

func TestAnnouncedAddresses_areThoseThatAnswer(t *testing.T) {
	var plain, tls server.Options
	tls.TLSCert, tls.PublicURL = "cert.pem", "https://cloud.example.org"
	for got, want := range map[string]string{
		scheme("http", plain): "http://", scheme("ws", plain): "ws://", scheme("http", tls): "https://", scheme("ws", tls): "wss://",
		loginURL(plain, "127.0.0.1:8090"): "http://127.0.0.1:8090", loginURL(tls, "0.0.0.0:8090"): "https://cloud.example.org",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
