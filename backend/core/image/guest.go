package image

import (
	"encoding/binary"
	"errors"
	"io"

	"novacron/backend/core/vm"
)

// Boots says what starts the disk inside a qcow2 file without backing file, preferred first, from its first sectors. It is for
// files that the platform converted itself: compressed clusters are not read and give no answer.
func Boots(r io.ReaderAt, size int64) ([]vm.Firmware, error) {
	q, err := ReadQCOW2(r, size)
	if err != nil {
		return nil, err
	}
	g := guestReader{q: q, file: r}
	head, err := prefix(g, q.VirtualBytes, headBytes)
	if err != nil || !hasBootSector(head) {
		return nil, nil //nolint:nilerr // what cannot be read gives no answer
	}
	_, boots, _ := partitions(g, q.VirtualBytes, head)
	return boots, nil
}

// Untouched reports whether nothing was ever written to the qcow2 file: every L1 entry is zero.
func Untouched(r io.ReaderAt, size int64) (bool, error) {
	q, err := ReadQCOW2(r, size)
	if err != nil {
		return false, err
	}
	l1, err := section(r, size, q.L1Offset, q.L1Entries*8)
	if err != nil {
		return false, err
	}
	for _, c := range l1 {
		if c != 0 {
			return false, nil
		}
	}
	return q.Snapshots == 0, nil
}

// guestReader reads the disk inside a qcow2 file.
type guestReader struct {
	q    QCOW2Header
	file io.ReaderAt
}

const (
	l2OffsetMask  = 0x00fffffffffffe00
	l2Compressed  = 1 << 62
	l2AllZero     = 1 << 0
	entryBytes    = 8
	extendedBytes = 16
)

// ReadAt fills b with the guest's bytes at off.
func (g guestReader) ReadAt(b []byte, off int64) (int, error) {
	for done := 0; done < len(b); {
		at := off + int64(done)
		if at >= g.q.VirtualBytes {
			return done, io.EOF
		}
		inside := at % g.q.cluster()
		n := int(min(int64(len(b)-done), g.q.cluster()-inside))
		if err := g.cluster(b[done:done+n], at, inside); err != nil {
			return done, err
		}
		done += n
	}
	return len(b), nil
}

func (g guestReader) cluster(b []byte, at, inside int64) error {
	clear(b)
	n := at / g.q.cluster()
	l2, err := g.entry(g.q.L1Offset + n/g.q.l2Entries()*entryBytes)
	if err != nil || l2&l2OffsetMask == 0 {
		return err
	}
	width := int64(entryBytes)
	if g.q.Incompatible&featureExtendedL2 != 0 {
		width = extendedBytes
	}
	data, err := g.entry(int64(l2&l2OffsetMask) + n%g.q.l2Entries()*width)
	switch {
	case err != nil:
		return err
	case data&l2Compressed != 0:
		return errors.New("compressed cluster")
	case data&l2AllZero != 0 && width == entryBytes, data&l2OffsetMask == 0:
		return nil
	}
	_, err = g.file.ReadAt(b, int64(data&l2OffsetMask)+inside)
	if errors.Is(err, io.EOF) {
		return nil // the last cluster of a file may be cut behind its content
	}
	return err
}

func (g guestReader) entry(off int64) (uint64, error) {
	var e [entryBytes]byte
	if _, err := g.file.ReadAt(e[:], off); err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(e[:]), nil
}
