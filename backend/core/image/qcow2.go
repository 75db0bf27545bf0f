package image

import (
	"bytes"
	"encoding/binary"
	"io"

	"novacron/backend/core/fault"
)

// QCOW2Header is the header of a qcow2 file, checked for structure: every table lies within the file and no number can make a
// reader allocate without bound. Whether a backing file is welcome is for the caller to say.
type QCOW2Header struct {
	Version        int
	VirtualBytes   int64
	ClusterBits    int
	BackingName    string // as it stands in the file: never to be believed
	Snapshots      int    // internal snapshots
	L1Entries      int
	L1Offset       int64
	Incompatible   uint64
	Encrypted      bool
	ExternalData   bool // the feature bit or the header extension
	refTableOffset int64
	refTableBytes  int64
}

const (
	qcow2Magic        = "QFI\xfb"
	minClusterBits    = 9
	maxClusterBits    = 21
	maxL1Bytes        = 32 << 20 // as in QEMU
	maxRefTableBytes  = 8 << 20  // as in QEMU
	maxQCOW2Snapshots = 65536
	maxExtensionBytes = 64 << 10 // header extensions of real files have some hundred bytes

	featureDirty       = 1 << 0
	featureCorrupt     = 1 << 1
	featureData        = 1 << 2
	featureCompression = 1 << 3
	featureExtendedL2  = 1 << 4
	featuresKnown      = featureDirty | featureCorrupt | featureData | featureCompression | featureExtendedL2

	extensionEnd    = 0
	extensionCrypto = 0x0537be77
	extensionData   = 0x44415441
)

func isQCOW2(head []byte) bool { return bytes.HasPrefix(head, []byte(qcow2Magic)) }

// parseQCOW2 is ReadQCOW2 with the rules for an image of unknown origin.
func parseQCOW2(r io.ReaderAt, size int64, head []byte) (Header, error) {
	q, err := ReadQCOW2(r, size)
	if err != nil {
		return Header{}, err
	}
	switch {
	case q.BackingName != "":
		return Header{}, refuse("image_backing_file", "the qcow2 image refers to a backing file, which could be any file of the node; flatten it with qemu-img convert and import that")
	case q.ExternalData:
		return Header{}, refuse("image_external_data", "the qcow2 image keeps its data in another file; flatten it with qemu-img convert and import that")
	case q.Encrypted:
		return Header{}, refuse("image_encrypted", "the qcow2 image is encrypted; decrypt it with qemu-img convert and import that")
	case q.Incompatible&featureCorrupt != 0:
		return Header{}, refuse("image_corrupt", "the qcow2 image is marked as corrupt; repair it with qemu-img check -r all and import that")
	case q.Incompatible&featureDirty != 0:
		return Header{}, refuse("image_dirty", "the qcow2 image was not closed properly; repair it with qemu-img check -r all and import that")
	}
	variant := "v2"
	if q.Version == 3 {
		variant = "v3"
	}
	return Header{Format: QCOW2, VirtualBytes: q.VirtualBytes, Variant: variant}, nil
}

// ReadQCOW2 reads the header of a qcow2 file of size bytes.
func ReadQCOW2(r io.ReaderAt, size int64) (QCOW2Header, error) {
	h, err := prefix(r, size, headBytes)
	if err != nil {
		return QCOW2Header{}, err
	}
	if len(h) < 112 || !isQCOW2(h) {
		return QCOW2Header{}, refuse("image_header", "the qcow2 image is cut short within its header")
	}
	be := binary.BigEndian
	q := QCOW2Header{
		Version:        int(be.Uint32(h[4:])),
		ClusterBits:    int(be.Uint32(h[20:])),
		Encrypted:      be.Uint32(h[32:]) != 0,
		refTableOffset: int64(be.Uint64(h[48:])),
	}
	if q.Version != 2 && q.Version != 3 {
		return QCOW2Header{}, fault.New(fault.Unsupported, "image_version", "the qcow2 image has version %d and only 2 and 3 are known", uint32(q.Version))
	}
	if q.ClusterBits < minClusterBits || q.ClusterBits > maxClusterBits {
		return QCOW2Header{}, refuse("image_cluster_bits", "the qcow2 image has broken cluster bits: %d, and %d to %d are possible", uint32(q.ClusterBits), minClusterBits, maxClusterBits)
	}
	if virtual := be.Uint64(h[24:]); virtual > uint64(MaxVirtualBytes) {
		return QCOW2Header{}, refuse("image_oversize", "the qcow2 image claims a disk of %d GiB and the limit is %d GiB", virtual>>30, MaxVirtualBytes>>30)
	} else {
		q.VirtualBytes = int64(virtual)
	}
	if err := q.readFeatures(h); err != nil {
		return QCOW2Header{}, err
	}
	if err := q.readTables(h, size); err != nil {
		return QCOW2Header{}, err
	}
	if err := q.readBacking(r, size, h); err != nil {
		return QCOW2Header{}, err
	}
	return q, q.readExtensions(r, size, h)
}

// readFeatures reads what version 3 added behind byte 72.
func (q *QCOW2Header) readFeatures(h []byte) error {
	if q.Version == 2 {
		return nil
	}
	be := binary.BigEndian
	q.Incompatible = be.Uint64(h[72:])
	q.ExternalData = q.Incompatible&featureData != 0
	if unknown := q.Incompatible &^ featuresKnown; unknown != 0 {
		return fault.New(fault.Unsupported, "image_features", "the qcow2 image needs features that are not known here (bits %#x); convert it with qemu-img convert -O qcow2", unknown)
	}
	if order := be.Uint32(h[96:]); order > 6 {
		return refuse("image_header", "the qcow2 image has a broken header: refcount order %d, and at most 6 is possible", order)
	}
	length := be.Uint32(h[100:])
	if length < 104 || length%8 != 0 || int64(length) > q.cluster() || length > headBytes {
		return refuse("image_header", "the qcow2 image has a broken header: it says that the header has %d bytes", length)
	}
	if q.Incompatible&featureCompression != 0 && (length < 112 || h[104] > 1) {
		return fault.New(fault.Unsupported, "image_compression", "the qcow2 image is compressed in a way that is not known here; convert it with qemu-img convert -O qcow2")
	}
	if q.Incompatible&featureExtendedL2 != 0 && q.ClusterBits < 14 {
		return refuse("image_cluster_bits", "the qcow2 image has broken cluster bits: %d is too few for its subclusters", q.ClusterBits)
	}
	return nil
}

// readTables checks that the L1 and refcount tables and the snapshot table lie within the file.
func (q *QCOW2Header) readTables(h []byte, size int64) error {
	be := binary.BigEndian
	l1 := be.Uint32(h[36:])
	if int64(l1)*8 > maxL1Bytes || int64(l1) < q.l1Needed() {
		return refuse("image_l1", "the qcow2 image has a broken L1 table: %d entries for a disk of %d bytes", l1, q.VirtualBytes)
	}
	q.L1Entries, q.L1Offset = int(l1), int64(be.Uint64(h[40:]))
	if l1 > 0 && !q.within(q.L1Offset, int64(l1)*8, size) {
		return refuse("image_l1", "the qcow2 image has its L1 table outside of the file: was the upload cut short?")
	}
	clusters := int64(be.Uint32(h[56:]))
	if clusters == 0 || clusters*q.cluster() > max(maxRefTableBytes, q.cluster()) {
		return refuse("image_refcounts", "the qcow2 image has a broken refcount table: %d clusters", clusters)
	}
	q.refTableBytes = clusters * q.cluster()
	if !q.within(q.refTableOffset, q.refTableBytes, size) {
		return refuse("image_refcounts", "the qcow2 image has its refcount table outside of the file: was the upload cut short?")
	}
	n := be.Uint32(h[60:])
	if n > maxQCOW2Snapshots {
		return refuse("image_snapshots", "the qcow2 image claims %d snapshots and at most %d are possible", n, maxQCOW2Snapshots)
	}
	q.Snapshots = int(n)
	const leastEntry = 40 // bytes of the fixed part of a snapshot's entry
	if n > 0 && !q.within(int64(be.Uint64(h[64:])), int64(n)*leastEntry, size) {
		return refuse("image_snapshots", "the qcow2 image has its snapshot table outside of the file: was the upload cut short?")
	}
	return nil
}

func (q *QCOW2Header) readBacking(r io.ReaderAt, size int64, h []byte) error {
	off, n := int64(binary.BigEndian.Uint64(h[8:])), int64(binary.BigEndian.Uint32(h[16:]))
	if off == 0 {
		return nil
	}
	if n == 0 || n > MaxBackingName || off < 72 || off > q.cluster()-n || off > size-n {
		return refuse("image_backing_file", "the qcow2 image refers to a backing file in a broken way; flatten it with qemu-img convert and import that")
	}
	name, err := section(r, size, off, int(n))
	q.BackingName = string(name)
	return err
}

// readExtensions walks the header extensions for those that change where data comes from.
func (q *QCOW2Header) readExtensions(r io.ReaderAt, size int64, h []byte) error {
	off := int64(72)
	if q.Version == 3 {
		off = int64(binary.BigEndian.Uint32(h[100:]))
	}
	end := q.cluster()
	if at := int64(binary.BigEndian.Uint64(h[8:])); at != 0 {
		end = at
	}
	area, err := section(r, size, 0, int(min(end, maxExtensionBytes, size)))
	if err != nil {
		return err
	}
	for off+8 <= end {
		if off+8 > int64(len(area)) {
			return refuse("image_extensions", "the qcow2 image has more than %d KiB of header extensions", maxExtensionBytes>>10)
		}
		kind, length := binary.BigEndian.Uint32(area[off:]), int64(binary.BigEndian.Uint32(area[off+4:]))
		switch kind {
		case extensionEnd:
			return nil
		case extensionCrypto:
			q.Encrypted = true
		case extensionData:
			q.ExternalData = true
		}
		if length > end-off-8 {
			return refuse("image_extensions", "the qcow2 image has a header extension that is longer than the header's cluster")
		}
		off += 8 + (length+7)/8*8
	}
	return nil
}

func (q *QCOW2Header) cluster() int64 { return 1 << q.ClusterBits }

// l2Entries is how many clusters one L2 table maps: its entries have 8 bytes, or 16 with subclusters.
func (q *QCOW2Header) l2Entries() int64 {
	if q.Incompatible&featureExtendedL2 != 0 {
		return q.cluster() / 16
	}
	return q.cluster() / 8
}

func (q *QCOW2Header) l1Needed() int64 {
	per := q.cluster() * q.l2Entries()
	return (q.VirtualBytes + per - 1) / per
}

// within reports whether a table at off is aligned, behind the header and inside the file.
func (q *QCOW2Header) within(off, length, size int64) bool {
	return off >= q.cluster() && off%q.cluster() == 0 && off <= size-length
}
