package remote

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// Join trades a one-use token for a certificate and stores it in dir. It says the token only to a server that holds the CA
// which the token names by its fingerprint. A dir that has joined already is left alone and its node is returned. The key is kept
// in dir until the answer is there: with the same token the same key gets its certificate again. dial may
// be nil.
func Join(ctx context.Context, dial Dial, server, token, dir string) (id.Node, error) {
	if node, err := Joined(dir); err == nil || !fault.Is(err, fault.NotFound) {
		return node, err
	}
	secret, fp, err := parseToken(token)
	if err != nil {
		return "", err
	}
	if _, _, err := net.SplitHostPort(server); err != nil {
		return "", fault.New(fault.Invalid, "server_invalid", "%q is not host:port of a server", server)
	}
	key, err := joiningKey(dir)
	if err != nil {
		return "", err
	}
	csr, err := newCSR(key)
	if err != nil {
		return "", err
	}
	var ca *x509.Certificate
	config := &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{protoHTTP},
		InsecureSkipVerify: true, // the CA is not known yet: pinned checks the chain against its fingerprint
		VerifyConnection: func(s tls.ConnectionState) (err error) {
			ca, err = pinned(s, fp)
			return err
		}}
	hostname, _ := os.Hostname()
	var got certificate
	client := httpClient(dial, func() *tls.Config { return config })
	defer client.CloseIdleConnections()
	if err := postJSON(ctx, client, server, "/join", joinRequest{JoinInfo{Hostname: hostname}, secret, csr}, &got); err != nil {
		return "", err
	}
	i, err := acceptCertificate(got, key, ca)
	if err != nil {
		return "", fault.Wrap(err, fault.Invalid, "certificate_invalid", "the server's answer to the join cannot be used; try again with a new token")
	}
	if err := i.save(dir); err != nil {
		return "", err
	}
	_ = os.Remove(filepath.Join(dir, joiningFile)) // one that stays is read by nobody
	return i.node, nil
}

// joiningFile holds the key of a join under way.
const joiningFile = "joining.pem"

// joiningKey gives the key of a join that got no answer, or a new one that is on the disk.
func joiningKey(dir string) (*ecdsa.PrivateKey, error) {
	if raw, err := os.ReadFile(filepath.Join(dir, joiningFile)); err == nil {
		if block, _ := pem.Decode(raw); block != nil {
			if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
				if key, ok := key.(*ecdsa.PrivateKey); ok {
					return key, nil
				}
			}
		}
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePrivate(dir, joiningFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

// pinned checks that the peer is a server of the CA with the fingerprint, and gives that CA.
func pinned(s tls.ConnectionState, fp string) (*x509.Certificate, error) {
	refused := func(cause error) error {
		return fault.Wrap(cause, fault.Forbidden, "server_not_trusted", "this is not the server that the join token was made on; check the address, or make a new token there")
	}
	for _, c := range s.PeerCertificates[1:] {
		if fingerprint(c) != fp {
			continue
		}
		roots := x509.NewCertPool()
		roots.AddCert(c)
		_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: serverName, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		if err != nil {
			return nil, refused(err)
		}
		return c, nil
	}
	return nil, refused(errors.New("no certificate in the chain has the fingerprint of the token"))
}

// httpClient speaks HTTP/1.1 to servers on connections of its own.
func httpClient(dial Dial, config func() *tls.Config) *http.Client {
	noRedirect := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{CheckRedirect: noRedirect, Transport: &http.Transport{
		DialTLSContext: func(ctx context.Context, _, server string) (net.Conn, error) {
			return dial.secure(ctx, server, config())
		},
		MaxConnsPerHost: 4, MaxIdleConns: 1, IdleConnTimeout: idleWait, ResponseHeaderTimeout: callWait, DisableCompression: true,
		MaxResponseHeaderBytes: 16 << 10,
	}}
}

// Dial opens the connections of a node to a server at host:port. nil: TCP.
type Dial func(ctx context.Context, server string) (net.Conn, error)

// secure opens a connection with TLS on it.
func (d Dial) secure(ctx context.Context, server string, config *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWait)
	defer cancel()
	if d == nil {
		d = func(ctx context.Context, server string) (net.Conn, error) {
			return (&net.Dialer{KeepAlive: pingAfter}).DialContext(ctx, "tcp", server)
		}
	}
	raw, err := d(ctx, server)
	if err != nil {
		return nil, err
	}
	c := tls.Client(raw, config)
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	if c.ConnectionState().NegotiatedProtocol != config.NextProtos[0] {
		c.Close()
		return nil, errors.New("the server does not speak " + config.NextProtos[0])
	}
	return c, nil
}

// postJSON makes one short request of the node to the server.
func postJSON(ctx context.Context, client *http.Client, server, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+server+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	resp, err := client.Do(q)
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f
	}
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "server_unreachable", "the server %s cannot be reached; check the address and that port 8093 is open there", server)
	}
	defer resp.Body.Close()
	var a answer
	if err := decode(resp.Body, &a); err != nil {
		return err
	}
	if a.Error != nil {
		return a.Error.err()
	}
	return json.Unmarshal(a.Value, into)
}
