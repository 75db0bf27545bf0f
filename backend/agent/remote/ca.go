package remote

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

const (
	// NodeLife is how long a node's certificate holds; a Link renews it at half of it, with one sixth as reserve before two
	// thirds have passed.
	NodeLife = 24 * time.Hour
	// RenewGrace is how long an ended certificate may still be renewed, and nothing else: after an outage of the servers that
	// lasted longer than NodeLife nobody has to join every node anew. A node that was removed is refused by Admit all the
	// same. After the grace a node joins with a new token.
	RenewGrace = 30 * 24 * time.Hour

	caLife     = 10 * 365 * 24 * time.Hour
	clockSlack = 48 * time.Hour // certificates of CA and server begin so much earlier: nodes' clocks may be wrong
	serverName = "server.novacron.internal"
)

// CA is the platform's own certificate authority for node connections. It is made once; every server holds the same one.
// Its methods may be called from several goroutines.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA makes a CA with a fresh ECDSA P-256 key. It holds for ten years.
func NewCA(now time.Time) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("key of the CA: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "NovaCron nodes"},
		NotBefore: now.Add(-clockSlack), NotAfter: now.Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("certificate of the CA: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certificate of the CA: %w", err)
	}
	return &CA{cert: cert, key: key}, nil
}

// LoadCA reads what PEM gave.
func LoadCA(certPEM, keyPEM []byte) (*CA, error) {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("CA for node connections: %w", err)
	}
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("CA for node connections: %w", err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !cert.IsCA {
		return nil, errors.New("CA for node connections: not a CA with an ECDSA key")
	}
	return &CA{cert: cert, key: key}, nil
}

// PEM gives certificate and private key for the caller to keep. The key must be kept secret: who has it is every node.
func (c *CA) PEM() (cert, key []byte) {
	der, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		panic("remote: an ECDSA key cannot be encoded: " + err.Error())
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// Fingerprint is the SHA-256 of the CA's certificate in lower-case hexadecimal. Join tokens carry it.
func (c *CA) Fingerprint() string { return fingerprint(c.cert) }

func fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

// Token is what an operator types on the new node: the secret and the CA's fingerprint, by which the node knows the server
// before it says the secret.
func (c *CA) Token(secret string) string { return secret + "." + c.Fingerprint() }

func parseToken(token string) (secret, ca string, err error) {
	secret, ca, ok := strings.Cut(strings.TrimSpace(token), ".")
	if _, hexErr := hex.DecodeString(ca); !ok || secret == "" || len(secret) > 64 || len(ca) != 2*sha256.Size || hexErr != nil {
		return "", "", fault.New(fault.Invalid, "token_invalid", "this is not a join token; make one with \"novacron node token\" on the server")
	}
	return secret, ca, nil
}

// issue makes a node's certificate for the key of a request. Nothing else of the request counts.
func (c *CA) issue(node id.Node, csr *x509.CertificateRequest, now time.Time) ([]byte, error) {
	key, ok := csr.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fault.New(fault.Invalid, "csr_invalid", "a node's key is of kind ECDSA P-256")
	}
	return c.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: string(node)}, URIs: []*url.URL{uriOf("node", string(node))},
		NotBefore: now.Add(-5 * time.Minute), NotAfter: now.Add(NodeLife), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, key)
}

// server makes a server's certificate with a key that lives in memory only. It holds as long as the CA, since it ends with the
// process. With an id it also proves to other servers who this is.
func (c *CA) server(self id.Server) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("key of the server: %w", err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: serverName}, DNSNames: []string{serverName},
		NotBefore: c.cert.NotBefore, NotAfter: c.cert.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if self != "" {
		template.URIs, template.ExtKeyUsage = []*url.URL{uriOf("server", string(self))}, append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	der, err := c.sign(template, &key.PublicKey)
	// The CA's certificate goes along, so that a node that has only its fingerprint can check the chain.
	return tls.Certificate{Certificate: [][]byte{der, c.cert.Raw}, PrivateKey: key}, err
}

func (c *CA) sign(template *x509.Certificate, key crypto.PublicKey) ([]byte, error) {
	template.SerialNumber, template.KeyUsage, template.BasicConstraintsValid = serial(), x509.KeyUsageDigitalSignature, true
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, key, c.key)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	return der, nil
}

func (c *CA) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.cert)
	return pool
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic("remote: no random numbers: " + err.Error())
	}
	return n
}

// uriOf is a role with a name, as a certificate's URI says it.
func uriOf(role, name string) *url.URL {
	return &url.URL{Scheme: "novacron", Host: role, Path: "/" + name}
}

// nameOf reads the id that a certificate gives to its holder in a role. A certificate has one role: a node's is no server's.
func nameOf(cert *x509.Certificate, role, prefix string) (string, error) {
	if len(cert.URIs) == 1 {
		u := cert.URIs[0]
		name, ok := strings.CutPrefix(u.Path, "/")
		if ok && u.Scheme == "novacron" && u.Host == role && id.Is(name) && strings.HasPrefix(name, prefix) {
			return name, nil
		}
	}
	return "", fault.New(fault.Unauthenticated, "certificate_invalid", "the certificate names no %s", role)
}

// nodeOf reads the node id of a verified certificate.
func nodeOf(cert *x509.Certificate) (id.Node, error) {
	name, err := nameOf(cert, "node", "node-")
	return id.Node(name), err
}

// serverOf reads the server id of a verified certificate.
func serverOf(cert *x509.Certificate) (id.Server, error) {
	name, err := nameOf(cert, "server", "srv-")
	return id.Server(name), err
}

// identifyServer checks that the peer is a server of the installation, and says which.
func (c *CA) identifyServer(state tls.ConnectionState, now time.Time) (id.Server, error) {
	if len(state.PeerCertificates) == 0 {
		return "", fault.New(fault.Unauthenticated, "certificate_missing", "the server showed no certificate")
	}
	leaf := state.PeerCertificates[0]
	_, err := leaf.Verify(x509.VerifyOptions{Roots: c.pool(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return "", fault.Wrap(err, fault.Unauthenticated, "certificate_invalid", "this is no certificate of a server of this installation; do the servers share one database?")
	}
	return serverOf(leaf)
}

// caller is who is at the other end of a connection, as its certificate says and nothing else.
type caller struct {
	node  id.Node
	ends  time.Time // of the certificate
	ended bool      // only a renewal is possible
}

// identify checks the peer's certificate against the CA at the server's time.
func (c *CA) identify(state tls.ConnectionState, now time.Time) (caller, error) {
	if len(state.PeerCertificates) == 0 {
		return caller{}, fault.New(fault.Unauthenticated, "certificate_missing", "the node showed no certificate; join it with a token first")
	}
	leaf := state.PeerCertificates[0]
	who := caller{ends: leaf.NotAfter, ended: now.After(leaf.NotAfter)}
	if who.ended && now.Before(leaf.NotAfter.Add(RenewGrace)) {
		now = leaf.NotAfter
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: c.pool(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return caller{}, fault.Wrap(err, fault.Unauthenticated, "certificate_invalid", "the node's certificate is not valid here; join the node again with a new token")
	}
	who.node, err = nodeOf(leaf)
	return who, err
}
