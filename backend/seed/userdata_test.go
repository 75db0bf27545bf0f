package seed

import (
	"crypto/ed25519"
	"crypto/rand"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
)

func mimeMessage(parts ...string) string {
	s := "Content-Type: multipart/mixed; boundary=\"b\"\nMIME-Version: 1.0\n\n"
	for _, p := range parts {
		s += "--b\n" + p + "\n"
	}
	return s + "--b--\n"
}

func TestCheckUserData(t *testing.T) {
	for _, c := range []struct{ name, text, code string }{
		{"takes nothing", "", ""},
		{"takes the default", Default, ""},
		{"takes a cloud-config of comments", "#cloud-config\n# nothing\n", ""},
		{"takes Windows line ends", "#cloud-config\r\nlocale: false\r\n", ""},
		{"takes nested keys", "#cloud-config\nusers:\n  - name: ada\n    ssh_authorized_keys: [a, b]\nwrite_files:\n- content: |\n    [[[ {{{ not yaml\n  path: /x\n", ""},
		{"takes an alias", "#cloud-config\na: &a [1]\nb: *a\n", ""},
		{"takes a script", "#!/bin/sh\necho [[[[[\n", ""},
		{"takes a MIME message", mimeMessage("Content-Type: text/cloud-config\n\n#cloud-config\na: 1", "Content-Type: text/x-shellscript\n\n#!/bin/sh\ntrue"), ""},
		{"refuses plain words", "hello", "user_data_kind"},
		{"refuses a slip in the first line", "#cloud-config: yes\n", "user_data_kind"},
		{"refuses to include from elsewhere", "#include\nhttp://169.254.169.254/\n", "user_data_kind"},
		{"refuses gzip", "\x1f\x8b\x08\x00", "user_data_gzip"},
		{"refuses bytes that are no text", "#!/bin/sh\n\xff\xfe", "user_data_text"},
		{"refuses zero bytes", "#!/bin/sh\n\x00", "user_data_text"},
		{"refuses more than the limit", "#!/bin/sh\n" + strings.Repeat("#", vm.MaxUserData), "user_data_too_large"},
		{"refuses a list", "#cloud-config\n- a\n- b\n", "user_data_mapping"},
		{"refuses a single word", "#cloud-config\nhello\n", "user_data_mapping"},
		{"refuses broken YAML", "#cloud-config\na: [1\nb: }\n", "user_data_yaml"},
		{"refuses two documents", "#cloud-config\na: 1\n---\nb: 2\n", "user_data_documents"},
		{"refuses deep brackets", "#cloud-config\na: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000), "user_data_depth"},
		{"refuses deep brackets over many lines", "#cloud-config\na: " + strings.Repeat("[\n ", 9000), "user_data_depth"},
		{"refuses deep dashes", "#cloud-config\na:\n" + strings.Repeat("- ", 20000) + "x", "user_data_depth"},
		{"refuses deep indentation", "#cloud-config\n" + ladder(200), "user_data_depth"},
		{"refuses a bomb of aliases", "#cloud-config\n" + laughs(9), "user_data_aliases"},
		{"refuses a script without interpreter", "#!\n", "user_data_script"},
		{"refuses a MIME message without parts", "Content-Type: multipart/mixed; boundary=b\n\n", "user_data_mime"},
		{"refuses a MIME message that is not multipart", "Content-Type: text/plain\n\nx", "user_data_mime"},
		{"refuses a MIME part in base64", mimeMessage("Content-Type: text/x-shellscript\nContent-Transfer-Encoding: base64\n\nIyE="), "user_data_mime"},
		{"refuses a MIME part of unknown type", mimeMessage("Content-Type: text/x-include-url\n\nhttp://x"), "user_data_mime"},
		{"refuses broken YAML inside MIME", mimeMessage("Content-Type: text/cloud-config\n\n#cloud-config\n- a"), "user_data_mapping"},
		{"refuses many MIME parts", mimeMessage(strings.Split(strings.Repeat("Content-Type: text/x-shellscript\n\n#!/bin/sh\x01", 17), "\x01")[:17]...), "user_data_mime"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := CheckUserData(c.text)
			var code string
			if f, ok := err.(*fault.Error); ok {
				code = f.Code
			} else if err != nil {
				t.Fatalf("got %v, which is no fault", err)
			}
			if code != c.code {
				t.Fatalf("got %q (%v), want %q", code, err, c.code)
			}
		})
	}
}

func ladder(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func laughs(n int) string {
	s := "a0: &a0 [lol]\n"
	for i := 1; i < n; i++ {
		name, last := string(rune('a'+i)), "*"+string(rune('a'+i-1))
		if i == 1 {
			last = "*a0"
		}
		s += name + ": &" + name + " [" + strings.Repeat(last+", ", 8) + last + "]\n"
	}
	return s
}

func FuzzCheckUserData(f *testing.F) {
	for _, s := range []string{Default, "#cloud-config\na: &a [*a]\n", "#cloud-config\n? - - a\n: {b: |\n", mimeMessage("Content-Type: text/cloud-config\n\n#cloud-config\na: 1")} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if err := CheckUserData(s); err != nil && fault.KindOf(err) == fault.Internal {
			t.Fatalf("%q gave %v, which is not the user's fault", s, err)
		}
	})
}

func TestCheckSSHKey(t *testing.T) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	fresh := string(ssh.MarshalAuthorizedKey(signer.PublicKey()))
	for _, c := range []struct{ name, line, code string }{
		{"takes a key", key, ""},
		{"takes a key that ends its line", fresh, ""},
		{"refuses nothing", "", "ssh_key_syntax"},
		{"refuses words", "let me in", "ssh_key_syntax"},
		{"refuses options", `restrict ` + strings.TrimSpace(fresh), "ssh_key_options"},
		{"refuses a command", `command="id" ` + strings.TrimSpace(fresh), "ssh_key_text"},
		{"refuses two lines", fresh + fresh, "ssh_key_text"},
		{"refuses a private key", "-----BEGIN OPENSSH PRIVATE KEY-----", "ssh_key_private"},
		{"refuses a cut key", key[:40], "ssh_key_syntax"},
		{"refuses a very long line", key + strings.Repeat("x", maxKeyBytes), "ssh_key_too_long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := CheckSSHKey(c.line)
			var code string
			if f, ok := err.(*fault.Error); ok {
				code = f.Code
			}
			if code != c.code {
				t.Fatalf("got %q (%v), want %q", code, err, c.code)
			}
		})
	}
}
