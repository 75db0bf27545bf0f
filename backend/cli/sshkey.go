package cli

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// publicKeys gives the keys that were named, else the user's own, else NovaCron's own key for this user.
func publicKeys(named []string) ([]string, error) {
	var keys []string
	for _, n := range named {
		line, err := publicKey(n)
		if err != nil {
			return nil, err
		}
		keys = append(keys, line)
	}
	if len(keys) > 0 {
		return keys, nil
	}
	if home, err := os.UserHomeDir(); err == nil {
		files, _ := filepath.Glob(filepath.Join(home, ".ssh", "id_*.pub"))
		for _, f := range files {
			if line, err := publicKey(f); err == nil {
				keys = append(keys, line)
			}
		}
	}
	own, err := ownKey()
	if err != nil {
		return nil, err
	}
	line, err := publicKey(own + ".pub")
	return append(keys, line), err
}

func publicKey(nameOrKey string) (string, error) {
	text := nameOrKey
	if !strings.HasPrefix(text, "ssh-") && !strings.HasPrefix(text, "ecdsa-") && !strings.HasPrefix(text, "sk-") {
		raw, err := os.ReadFile(nameOrKey)
		if err != nil {
			return "", fmt.Errorf("SSH key: %w", err)
		}
		text = string(raw)
	}
	if _, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text)); err != nil {
		return "", fmt.Errorf("%s is no public SSH key; name a file such as ~/.ssh/id_ed25519.pub", nameOrKey)
	}
	return strings.TrimSpace(text), nil
}

// ownKey is a key pair that belongs to the command line, made once, so that `vm ssh` works for people who have no key. It gives the path
// of the private half.
func ownKey() (string, error) {
	dir, err := configDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "ssh_key")
	if _, err := os.Stat(path + ".pub"); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	block, err := ssh.MarshalPrivateKey(private, "novacron")
	if err != nil {
		return "", err
	}
	line, err := ssh.NewPublicKey(public)
	if err != nil {
		return "", err
	}
	// The private half first: a public half without it would be handed to guests for ever.
	err = os.WriteFile(path, pem.EncodeToMemory(block), 0o600)
	return path, errors.Join(err, os.WriteFile(path+".pub", append(ssh.MarshalAuthorizedKey(line)[:len(ssh.MarshalAuthorizedKey(line))-1], " novacron\n"...), 0o644))
}
