package cli

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"

	"novacron/backend/storage/durable"
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
	_, own, err := ownKey()
	return append(keys, own), err
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

// ownKey gives the file of a private key that belongs to the command line, and its public half as a line. It is made once, so that `vm ssh`
// works for people who have no key. The line is of the key that the file holds: commands that make it at once agree on one.
func ownKey() (path, line string, err error) {
	dir, err := configDir()
	if err != nil {
		return "", "", err
	}
	path = filepath.Join(dir, "ssh_key")
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		raw, err = makeKey(dir, path)
	}
	if err != nil {
		return "", "", err
	}
	key, err := ssh.ParsePrivateKey(raw)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w; remove it and a new key is made, which VMs from before do not know", path, err)
	}
	return path, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey()))) + " novacron", nil
}

// makeKey puts a new key at path, unless another command did at the same time, and reads what is there.
func makeKey(dir, path string) ([]byte, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "novacron")
	if err != nil {
		return nil, err
	}
	mine := filepath.Join(dir, ".ssh_key-"+rand.Text())
	defer os.Remove(mine)
	if err := durable.WriteFile(mine, pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, err
	}
	if err := os.Link(mine, path); err != nil && !errors.Is(err, fs.ErrExist) { // unlike a rename it takes no other's place
		return nil, err
	}
	return os.ReadFile(path)
}
