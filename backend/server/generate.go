package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"novacron/backend/session"
	"novacron/backend/storage/durable"
)

// SecretsFile is where WriteSecrets writes unless told otherwise.
const SecretsFile = ".env.production"

// secretNames are the secrets of an installation, in the order of the file.
var secretNames = []string{"AUTH_SECRET", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "GRAFANA_PASSWORD", "NOVACRON_SIGNING_KEY"}

// WriteSecrets makes every secret of an installation and writes them into a file of mode 0600, which systemd (EnvironmentFile) and
// compose (--env-file) read. An existing file is refused, or with force kept beside it as NAME.old.
func WriteSecrets(name string, force bool) error {
	if _, err := os.Lstat(name); err == nil && !force {
		return fmt.Errorf("%s is there already; use --force to make new secrets, after which nothing can read what AUTH_SECRET has encrypted", name)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var text strings.Builder
	text.WriteString("# Secrets of this installation, made by `novacron secrets init`. Keep a copy in a safe place: without AUTH_SECRET the\n" +
		"# keys and the second factors in the database cannot be read.\n")
	for _, secret := range secretNames {
		value := randomHex()
		if secret == "NOVACRON_SIGNING_KEY" {
			key, err := session.MakeKey()
			if err != nil {
				return err
			}
			value = base64.StdEncoding.EncodeToString(session.EncodeKey(key))
		}
		text.WriteString(secret + "=" + value + "\n")
	}
	return replaceFile(name, []byte(text.String()), nil)
}

// replaceFile writes a file of mode 0600, or with the mode and owner of like, and keeps the one that was there as NAME.old. Ended halfway,
// it has lost neither.
func replaceFile(name string, content []byte, like fs.FileInfo) error {
	if _, err := os.Lstat(name); err == nil {
		old := name + ".old"
		if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Link(name, old); err != nil {
			return err
		}
	}
	if like == nil {
		return durable.WriteFile(name, content, 0o600)
	}
	return durable.WriteLike(name, content, like)
}

// ReplaceSecret puts new in the place of old in a file, which keeps its owner and mode; the file as it was stays beside it as NAME.old, for
// backups that were made until now. The file may hold other things. One that holds new already is left alone.
func ReplaceSecret(name, old, new string) error {
	raw, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	switch text := string(raw); {
	case strings.Contains(text, new):
		return nil
	case strings.Count(text, old) != 1:
		return fmt.Errorf("%s does not hold the key that the server uses; name the file that does with --file", name)
	}
	fi, err := os.Stat(name)
	if err != nil {
		return err
	}
	return replaceFile(name, []byte(strings.Replace(string(raw), old, new, 1)), fi)
}

// randomHex is 256 random bits that no shell, URL or settings file reads as anything else.
func randomHex() string {
	var raw [32]byte
	rand.Read(raw[:])
	return hex.EncodeToString(raw[:])
}

// Names of what WriteSelfSigned writes, and the bound of its certificate's life: browsers take no longer ones.
const (
	SelfSignedCert = "tls.crt"
	SelfSignedKey  = "tls.key"
	MaxCertDays    = 825
)

// WriteSelfSigned makes a key (0600) and a certificate for the hosts (names and addresses) that is good for so many days, and writes both
// into dir. Existing files are refused, or with force replaced; a running server takes the new ones within seconds. Both paths come back
// absolute.
func WriteSelfSigned(dir string, hosts []string, days int, force bool, now time.Time) (cert, key string, err error) {
	if dir, err = filepath.Abs(dir); err != nil { // the settings are read in other folders
		return "", "", err
	}
	cert, key = filepath.Join(dir, SelfSignedCert), filepath.Join(dir, SelfSignedKey)
	if len(hosts) == 0 || days < 1 || days > MaxCertDays {
		return "", "", fmt.Errorf("a certificate needs a host and lasts 1 to %d days", MaxCertDays)
	}
	for _, name := range []string{cert, key} {
		if exists(name) && !force {
			return "", "", fmt.Errorf("%s is there already; use --force to replace it", name)
		}
	}
	certPEM, keyPEM, err := selfSigned(hosts, days, now)
	if err != nil {
		return "", "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", err
	}
	// The certificate comes last: a server looks at its time, and by then the key is there. Before, the pair does not fit and the
	// server keeps the old one.
	if err := durable.WriteFile(key, keyPEM, 0o600); err != nil {
		return "", "", err
	}
	return cert, key, durable.WriteFile(cert, certPEM, 0o600)
}

func selfSigned(hosts []string, days int, now time.Time) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make the key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, fmt.Errorf("make the serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: hosts[0], Organization: []string{"NovaCron, self-signed"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Duration(days) * 24 * time.Hour), // an hour for clocks that are late
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true, // so that it can be put among the trusted ones
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, nil, fmt.Errorf("make the certificate: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, fmt.Errorf("encode the key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), nil
}
