package remote

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
)

// identity is what makes a node itself: its key, its certificate, and the CA that it trusts. It is kept in one file, so that
// a crash leaves the old one or the new one.
type identity struct {
	node id.Node
	cert tls.Certificate // with the key; Leaf is set
	ca   *x509.Certificate
}

const identityFile = "identity.pem"

// Joined gives the node that dir's certificate names. fault.NotFound: dir has not joined.
func Joined(dir string) (id.Node, error) {
	i, err := loadIdentity(dir)
	if err != nil {
		return "", err
	}
	return i.node, nil
}

func loadIdentity(dir string) (*identity, error) {
	raw, err := os.ReadFile(filepath.Join(dir, identityFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "not_joined", "this node has not joined a server; run \"novacron node token\" on the server and the command that it prints here")
	}
	if err != nil {
		return nil, fmt.Errorf("identity of the node: %w", err)
	}
	return parseIdentity(raw)
}

// parseIdentity reads the private key, then the node's certificate, then the CA's.
func parseIdentity(raw []byte) (*identity, error) {
	key, rest := pem.Decode(raw)
	leaf, rest := decodePEM(rest)
	ca, _ := decodePEM(rest)
	if key == nil || leaf == nil || ca == nil {
		return nil, errors.New("identity of the node: the file is damaged; remove it and join again with a new token")
	}
	pair, err := tls.X509KeyPair(pem.EncodeToMemory(leaf), pem.EncodeToMemory(key))
	if err != nil {
		return nil, fmt.Errorf("identity of the node: %w", err)
	}
	if pair.Leaf, err = x509.ParseCertificate(leaf.Bytes); err != nil {
		return nil, fmt.Errorf("identity of the node: %w", err)
	}
	root, err := x509.ParseCertificate(ca.Bytes)
	if err != nil {
		return nil, fmt.Errorf("CA of the node: %w", err)
	}
	node, err := nodeOf(pair.Leaf)
	return &identity{node: node, cert: pair, ca: root}, err
}

func decodePEM(raw []byte) (*pem.Block, []byte) { return pem.Decode(raw) }

// save writes the identity whole or not at all, and on the disk before it returns: the old certificate may end soon.
func (i *identity) save(dir string) error {
	key, err := x509.MarshalPKCS8PrivateKey(i.cert.PrivateKey)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: key})
	pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: i.cert.Certificate[0]})
	pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: i.ca.Raw})
	return writePrivate(dir, identityFile, b.Bytes())
}

// writePrivate makes a file of the node's user appear whole or not at all, also after a power cut.
func writePrivate(dir, name string, content []byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	part := filepath.Join(dir, name+".part")
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(part, filepath.Join(dir, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(part))
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// tls is how the node dials the server. The server proves itself by the CA and a fixed name, whatever address leads to it.
func (i *identity) tls(proto string) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(i.ca)
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, ServerName: serverName, NextProtos: []string{proto}, Certificates: []tls.Certificate{i.cert}}
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("key of the node: %w", err)
	}
	return key, nil
}

func newCSR(key *ecdsa.PrivateKey) ([]byte, error) {
	return x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "node"}}, key)
}

// accept makes the identity from the server's answer, after a look whether it is for this key and from this CA.
func acceptCertificate(answer certificate, key *ecdsa.PrivateKey, ca *x509.Certificate) (*identity, error) {
	block, _ := decodePEM([]byte(answer.PEM))
	if block == nil {
		return nil, errors.New("the server's answer holds no certificate")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	if !key.PublicKey.Equal(leaf.PublicKey) {
		return nil, errors.New("the server's certificate is for another key")
	}
	if err := leaf.CheckSignatureFrom(ca); err != nil {
		return nil, err
	}
	node, err := nodeOf(leaf)
	return &identity{node: node, ca: ca, cert: tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}}, err
}
