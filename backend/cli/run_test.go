package cli

import (
	"strings"
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

func TestNextCommands_areThoseThatWorkByNow(t *testing.T) {
	root := newRoot(&session{})
	for _, c := range []struct {
		local bool
		first string
		want  string // the first of them
	}{{true, "first", "vm list"}, {true, "", "vm create web-1 --image tiny --memory 256"}, {false, "", "node token"}} {
		all := nextCommands(c.local, c.first)
		if all[0] != c.want {
			t.Errorf("with a node here (%t) and the VM %q: %q, want %q first", c.local, c.first, all, c.want)
		}
		for _, line := range all {
			if why := unknownTo(root, strings.Fields(line)); why != "" {
				t.Errorf("%s: %s", line, why)
			}
		}
	}
}
