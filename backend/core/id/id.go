// Package id names things. Every kind of object has its own type, so that the compiler refuses a node where a VM is
// meant. An id is "<prefix>-" and 20 characters of lower-case base 32 (100 random bits), so it is a valid DNS label, safe in
// a path, and told apart from a user's name by Is.
package id

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// The kinds of object. The zero value of each is "no object".
type (
	VM        string // a virtual machine
	Node      string // a machine that runs guests
	Operation string // a durable operation
	Image     string // an image in the catalogue
	Volume    string // a disk of a VM
	NIC       string // a network interface of a VM
	Snapshot  string // a point in time of a VM's disks, with or without memory
	Network   string // a network that VMs attach to
	Tenant    string // an owner of things, closed to the others
	User      string // an account
	Session   string // a sign-in
	Token     string // an API token
	Invite    string // an invitation to make an account
	Upload    string // a resumable upload
	Server    string // a server of the installation; kept in its data folder
)

const length = 20 // base 32 characters behind the prefix: 100 bits

var encoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewVM and its siblings return a fresh random id. crypto/rand does not fail on supported systems.
func NewVM() VM               { return VM(fresh("vm")) }
func NewNode() Node           { return Node(fresh("node")) }
func NewOperation() Operation { return Operation(fresh("op")) }
func NewImage() Image         { return Image(fresh("img")) }
func NewVolume() Volume       { return Volume(fresh("vol")) }
func NewNIC() NIC             { return NIC(fresh("nic")) }
func NewSnapshot() Snapshot   { return Snapshot(fresh("snap")) }
func NewNetwork() Network     { return Network(fresh("net")) }
func NewTenant() Tenant       { return Tenant(fresh("ten")) }
func NewUser() User           { return User(fresh("usr")) }
func NewSession() Session     { return Session(fresh("ses")) }
func NewToken() Token         { return Token(fresh("tok")) }
func NewInvite() Invite       { return Invite(fresh("inv")) }
func NewUpload() Upload       { return Upload(fresh("upl")) }
func NewServer() Server       { return Server(fresh("srv")) }

// NodeOf gives the id of the node that joins with this public key, so that a join whose answer was lost can be asked for again.
func NodeOf(publicKey []byte) Node {
	sum := sha256.Sum256(publicKey)
	return Node(form("node", sum[:13]))
}

func fresh(prefix string) string {
	var raw [13]byte
	rand.Read(raw[:])
	return form(prefix, raw[:])
}

func form(prefix string, raw []byte) string {
	return prefix + "-" + encoding.EncodeToString(raw)[:length]
}

// Is reports whether s has the form of an id of any kind. Names of that form are refused, so that a path element is
// either an id or a name and never both.
func Is(s string) bool {
	prefix, rest, ok := strings.Cut(s, "-")
	if !ok || len(rest) != length {
		return false
	}
	switch prefix {
	case "vm", "node", "op", "img", "vol", "nic", "snap", "net", "ten", "usr", "ses", "tok", "inv", "upl", "srv":
	default:
		return false
	}
	for _, c := range []byte(rest) {
		if !strings.ContainsRune("0123456789abcdefghjkmnpqrstvwxyz", rune(c)) {
			return false
		}
	}
	return true
}
