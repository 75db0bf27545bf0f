package seed

import (
	"encoding/binary"
	"unicode/utf16"
)

// A small ISO 9660 writer for a few small files in the root folder. Names stand three times: shortened for ISO 9660 itself, in
// Rock Ridge (which Linux prefers) and in Joliet (which Windows reads). All dates are the epoch of ISO 9660, so that the
// same files give the same bytes.
//
//	sectors 0-15  unused
//	16 17 18      primary descriptor, Joliet descriptor, terminator
//	19 20 21 22   path tables: little and big endian, then those of Joliet
//	23 24         root folders: primary, Joliet
//	25...         files

const (
	sector       = 2048
	primaryAt    = 16
	jolietAt     = 17
	terminatorAt = 18
	pathsAt      = 19
	rootAt       = 23
	jolietRootAt = 24
	filesAt      = 25
)

// file is one file of the volume.
type file struct {
	name    string // as the guest sees it
	short   string // for ISO 9660: eight capitals and digits
	content []byte
}

// volume gives the bytes of a volume with the label and files. The records of all files must fit in one sector, which
// the three files of a seed do.
func volume(label string, files []file) []byte {
	size := filesAt
	for _, f := range files {
		size += sectors(len(f.content))
	}
	b := make([]byte, size*sector)
	descriptor(b[primaryAt*sector:], 1, padded(label, 32), rootAt, pathsAt, size)
	descriptor(b[jolietAt*sector:], 2, ucs2(label, 16), jolietRootAt, pathsAt+2, size)
	copy(b[jolietAt*sector+88:], "%/E") // escape sequence: UCS-2 level 3
	copy(b[terminatorAt*sector:], "\xffCD001\x01")
	for i, root := range []int{rootAt, jolietRootAt} {
		paths(b[(pathsAt+2*i)*sector:], binary.LittleEndian, root)
		paths(b[(pathsAt+2*i+1)*sector:], binary.BigEndian, root)
	}
	root, joliet := b[rootAt*sector:rootAt*sector], b[jolietRootAt*sector:jolietRootAt*sector]
	// The first record of the root announces Rock Ridge.
	announce := append([]byte("SP\x07\x01\xbe\xef\x00ER\x12\x01\x0a\x00\x00\x01RRIP_1991A"), posix(true)...)
	root = append(root, record("\x00", rootAt, sector, true, announce)...)
	root = append(root, record("\x01", rootAt, sector, true, posix(true))...)
	joliet = append(joliet, record("\x00", jolietRootAt, sector, true, nil)...)
	joliet = append(joliet, record("\x01", jolietRootAt, sector, true, nil)...)
	at := filesAt
	for _, f := range files {
		name := append([]byte{'N', 'M', byte(5 + len(f.name)), 1, 0}, f.name...)
		root = append(root, record(f.short+".;1", at, len(f.content), false, append(posix(false), name...))...)
		joliet = append(joliet, record(string(ucs2(f.name, len(f.name))), at, len(f.content), false, nil)...)
		copy(b[at*sector:], f.content)
		at += sectors(len(f.content))
	}
	return b
}

func sectors(n int) int { return (n + sector - 1) / sector }

// descriptor writes a volume descriptor of the type.
func descriptor(b []byte, kind byte, label []byte, root, tables, size int) {
	b[0] = kind
	copy(b[1:], "CD001\x01")
	blank := padded("", 32)
	if kind == 2 {
		blank = ucs2("", 16)
	}
	copy(b[8:], blank)
	copy(b[40:], label)
	both32(b[80:], size)
	both16(b[120:], 1)
	both16(b[124:], 1)
	both16(b[128:], sector)
	both32(b[132:], pathTableBytes)
	binary.LittleEndian.PutUint32(b[140:], uint32(tables))
	binary.BigEndian.PutUint32(b[148:], uint32(tables+1))
	copy(b[156:], record("\x00", root, sector, true, nil))
	for at := 190; at < 813; at += 32 { // names of publisher and the like: blank
		copy(b[at:813], blank)
	}
	for at := 813; at < 881; at += 17 {
		copy(b[at:], "0000000000000000\x00")
	}
	b[881] = 1
}

const pathTableBytes = 10

// paths writes a path table with the root alone.
func paths(b []byte, order binary.ByteOrder, root int) {
	b[0] = 1
	order.PutUint32(b[2:], uint32(root))
	order.PutUint16(b[6:], 1)
}

// record is a folder's entry.
func record(name string, at, size int, folder bool, system []byte) []byte {
	const fixed = 33
	n := fixed + len(name)
	n += n % 2
	b := make([]byte, n+len(system)+len(system)%2)
	b[0] = byte(len(b))
	both32(b[2:], at)
	both32(b[10:], size)
	copy(b[18:], []byte{70, 1, 1, 0, 0, 0, 0}) // 1 January 1970
	if folder {
		b[25] = 2
	}
	both16(b[28:], 1)
	b[32] = byte(len(name))
	copy(b[fixed:], name)
	copy(b[n:], system)
	return b
}

// posix is Rock Ridge's entry with the mode: read-only for everybody, since the guest decides by mount options.
func posix(folder bool) []byte {
	b := make([]byte, 36)
	copy(b, "PX\x24\x01")
	mode, links := 0o100444, 1
	if folder {
		mode, links = 0o040555, 2
	}
	both32(b[4:], mode)
	both32(b[12:], links)
	return b
}

// both32 writes a number in both byte orders, as ISO 9660 wants.
func both32(b []byte, n int) {
	binary.LittleEndian.PutUint32(b, uint32(n))
	binary.BigEndian.PutUint32(b[4:], uint32(n))
}

func both16(b []byte, n int) {
	binary.LittleEndian.PutUint16(b, uint16(n))
	binary.BigEndian.PutUint16(b[2:], uint16(n))
}

func padded(s string, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = ' '
	}
	copy(b, s)
	return b
}

// ucs2 is s in n big-endian characters, filled with blanks.
func ucs2(s string, n int) []byte {
	units := utf16.Encode([]rune(s))
	b := make([]byte, 0, 2*n)
	for i := range n {
		unit := uint16(' ')
		if i < len(units) {
			unit = units[i]
		}
		b = binary.BigEndian.AppendUint16(b, unit)
	}
	return b
}
