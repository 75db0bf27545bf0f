package cli

import (
	"os"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestOwnKey_isOneKeyForCommandsThatMakeItAtOnce(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	var lines [8]string
	var wg sync.WaitGroup
	for i := range lines {
		wg.Go(func() {
			keys, err := publicKeys(nil)
			if err != nil || len(keys) != 1 {
				t.Errorf("got %q, %v", keys, err)
				return
			}
			lines[i] = keys[0]
		})
	}
	wg.Wait()
	path, _, err := ownKey()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	private, err := ssh.ParsePrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil || string(public.Marshal()) != string(private.PublicKey().Marshal()) {
			t.Errorf("a guest was given %q, which is not the half of the key on disk: %v", line, err)
		}
	}
}
