package seed

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
	"golang.org/x/crypto/ssh"

	"novacron/backend/core/fault"
	"novacron/backend/core/vm"
)

// Bounds of user-data, beyond its size.
const (
	maxDepth    = 32 // levels of YAML; real cloud-configs have about five
	maxAliases  = 64 // aliases multiply what they stand for
	maxParts    = 16 // of a MIME message
	maxNesting  = 2  // MIME messages inside MIME messages
	maxKeyBytes = 8 << 10
)

func bad(code, format string, args ...any) error {
	return fault.New(fault.Invalid, code, format, args...).On("user_data")
}

// CheckUserData refuses user-data that cloud-init could not read or that is built to exhaust its reader. Empty is good.
// Known are #cloud-config (a YAML mapping), #! scripts, and MIME messages of such parts; what the guest would have to
// unpack or to fetch from elsewhere is not taken.
func CheckUserData(s string) error {
	switch {
	case s == "":
		return nil
	case len(s) > vm.MaxUserData:
		return fault.New(fault.TooLarge, "user_data_too_large", "the user-data has %d bytes and the limit is %d", len(s), vm.MaxUserData).On("user_data")
	case strings.HasPrefix(s, "\x1f\x8b"):
		return bad("user_data_gzip", "the user-data is compressed; give it as plain text")
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return bad("user_data_text", "the user-data is not plain UTF-8 text")
	}
	return checkPart(s, 0)
}

func checkPart(s string, nesting int) error {
	first, _, _ := strings.Cut(s, "\n")
	first = strings.TrimRight(first, "\r \t")
	switch {
	case first == "#cloud-config":
		return checkCloudConfig(s)
	case strings.HasPrefix(first, "#!"):
		if strings.TrimSpace(first[2:]) == "" {
			return bad("user_data_script", "the script of the user-data names no interpreter behind #!")
		}
		return nil
	case strings.HasPrefix(first, "#cloud-config"):
		return bad("user_data_kind", "the user-data begins with %q; the first line of a cloud-config is exactly #cloud-config", clip(first))
	case strings.HasPrefix(strings.ToLower(first), "content-type:"), strings.HasPrefix(strings.ToLower(first), "mime-version:"):
		return checkMIME(s, nesting)
	}
	return bad("user_data_kind", "the user-data begins with %q; it must begin with #cloud-config, #! or Content-Type: multipart", clip(first))
}

func clip(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// checkCloudConfig wants one YAML mapping. Aliases are counted, never expanded, so a few bytes cannot become many.
func checkCloudConfig(s string) error {
	tree, err := parse(s)
	if err != nil {
		if errors.Is(err, errTooDeep) {
			return bad("user_data_depth", "the cloud-config nests more than %d levels deep", maxDepth)
		}
		return fault.Wrap(err, fault.Invalid, "user_data_yaml", "the cloud-config is not valid YAML%s", where(err)).On("user_data")
	}
	docs := 0
	for _, d := range tree.Docs {
		if d.Body == nil || d.Body.Type() == ast.CommentType {
			continue
		}
		docs++
		if t := d.Body.Type(); t != ast.MappingType && t != ast.MappingValueType {
			return bad("user_data_mapping", "the cloud-config is not a YAML mapping of keys to values")
		}
		w := &walker{}
		ast.Walk(w, d.Body)
		if w.aliases > maxAliases {
			return bad("user_data_aliases", "the cloud-config has %d YAML aliases and at most %d are taken", w.aliases, maxAliases)
		}
	}
	if docs > 1 {
		return bad("user_data_documents", "the cloud-config has %d YAML documents and cloud-init reads one", docs)
	}
	return nil // a cloud-config of comments alone is good
}

// parse reads YAML. The parser calls itself once per level, so the depth is bounded on the tokens, which are found without
// recursion; and a bug of the library shall not end the platform.
func parse(s string) (tree *ast.File, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the YAML parser gave up")
		}
	}()
	tokens := lexer.Tokenize(s)
	if deeper(tokens, maxDepth) {
		return nil, errTooDeep
	}
	return parser.Parse(tokens, 0)
}

var errTooDeep = errors.New("it has too many levels")

// deeper reports whether collections nest deeper than most: brackets, and columns that grow from line to line or from dash
// to dash.
func deeper(tokens token.Tokens, most int) bool {
	flow, line := 0, 0
	var columns []int
	for _, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		}
		first := t.Position.Line != line
		line = t.Position.Line
		if first {
			for len(columns) > 0 && columns[len(columns)-1] >= t.Position.Column {
				columns = columns[:len(columns)-1]
			}
		}
		if first || t.Type == token.SequenceEntryType || t.Type == token.MappingKeyType {
			columns = append(columns, t.Position.Column)
		}
		if flow > most || len(columns) > 2*most {
			return true
		}
	}
	return false
}

// where takes the first line of the YAML library's message, which holds line and column.
func where(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	if first == "" || len(first) > 200 {
		return ""
	}
	return ": " + first
}

type walker struct{ aliases int }

// Visit counts aliases.
func (w *walker) Visit(n ast.Node) ast.Visitor {
	if n.Type() == ast.AliasType {
		w.aliases++
	}
	return w
}

// checkMIME checks each part of a multipart message by its type.
func checkMIME(s string, nesting int) error {
	if nesting >= maxNesting {
		return bad("user_data_mime", "the user-data has MIME messages inside one another more than %d deep", maxNesting)
	}
	m, err := mail.ReadMessage(bufio.NewReader(strings.NewReader(s)))
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "user_data_mime", "the user-data begins like a MIME message and is none").On("user_data")
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || !strings.HasPrefix(kind, "multipart/") || params["boundary"] == "" {
		return bad("user_data_mime", "the MIME message of the user-data is not multipart with a boundary")
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for n := 0; ; n++ {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) && n > 0 {
			return nil
		}
		if err != nil {
			return fault.Wrap(err, fault.Invalid, "user_data_mime", "the MIME message of the user-data is damaged behind part %d", n).On("user_data")
		}
		if n == maxParts {
			return bad("user_data_mime", "the MIME message of the user-data has more than %d parts", maxParts)
		}
		if err := checkMIMEPart(p, nesting); err != nil {
			return err
		}
	}
}

func checkMIMEPart(p *multipart.Part, nesting int) error {
	if enc := strings.ToLower(p.Header.Get("Content-Transfer-Encoding")); enc != "" && enc != "7bit" && enc != "8bit" && enc != "binary" {
		return bad("user_data_mime", "a part of the user-data is encoded as %q; give it as plain text", clip(enc))
	}
	body, err := io.ReadAll(io.LimitReader(p, vm.MaxUserData+1))
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "user_data_mime", "a part of the user-data is cut short").On("user_data")
	}
	kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
	text := string(bytes.TrimLeft(body, "\r\n"))
	switch kind {
	case "text/cloud-config":
		return checkCloudConfig(text)
	case "text/x-shellscript":
		if !strings.HasPrefix(text, "#!") {
			return bad("user_data_script", "a script of the user-data does not begin with #!")
		}
		return nil
	case "text/cloud-boothook", "text/jinja2":
		return nil
	case "", "text/plain":
		return checkPart(text, nesting+1)
	}
	return bad("user_data_mime", "a part of the user-data has type %q; text/cloud-config and text/x-shellscript are taken", clip(kind))
}

// CheckSSHKey refuses what is not exactly one public key in the form of an authorized_keys line without options.
func CheckSSHKey(line string) error {
	line = strings.TrimSpace(line)
	refuse := func(code, format string, args ...any) error {
		return fault.New(fault.Invalid, code, format, args...).On("ssh_keys")
	}
	switch {
	case len(line) > maxKeyBytes:
		return refuse("ssh_key_too_long", "an ssh key has %d bytes and the limit is %d", len(line), maxKeyBytes)
	case strings.Contains(line, "PRIVATE KEY"):
		return refuse("ssh_key_private", "this is a private key: keep it to yourself and give the public one, from the file that ends in .pub")
	case strings.ContainsAny(line, "\n\r\"\\") || strings.IndexFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) >= 0 || !utf8.ValidString(line):
		return refuse("ssh_key_text", "an ssh key is one line without quotes, backslashes and control characters")
	}
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return refuse("ssh_key_syntax", "%q is not a public ssh key; one begins with ssh-ed25519, ecdsa-sha2- or ssh-rsa", clip(line))
	}
	if len(options) > 0 || !strings.HasPrefix(line, key.Type()+" ") && !strings.HasPrefix(line, key.Type()+"\t") {
		return refuse("ssh_key_options", "an ssh key with options such as command= is not taken; give the key alone")
	}
	if _, isCert := key.(*ssh.Certificate); isCert {
		return refuse("ssh_key_certificate", "this is an ssh certificate; give the public key")
	}
	if key.Type() == "ssh-dss" {
		return refuse("ssh_key_weak", "DSA keys are no longer taken by ssh servers; make an ed25519 key with ssh-keygen -t ed25519")
	}
	return nil
}
