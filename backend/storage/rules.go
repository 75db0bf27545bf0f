package storage

import (
	"errors"
	"regexp"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/image"
)

// The rules that every pool keeps, and the sentences with which it refuses. They stand here so that a simulated pool
// refuses what a real one refuses, in the same words.

// MaxSnapshots bounds the snapshots inside one volume: qemu reads all of their tables each time it opens the disk.
const MaxSnapshots = 256

// sectorSize is the grain of a disk's size.
const sectorSize = 512

var snapshotTag = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Check holds the volume's fields within their bounds.
func (v Volume) Check() error {
	switch {
	case !IsVolume(v.ID):
		return fault.New(fault.Invalid, "volume_id", "%q is not the id of a volume", v.ID)
	case v.From != "" && !IsVolume(v.From):
		return fault.New(fault.Invalid, "volume_id", "%q is not the id of a volume", v.From)
	case v.From == v.ID:
		return fault.New(fault.Invalid, "volume_from", "volume %s cannot be a copy of itself", v.ID)
	case v.From != "" && v.Image != "":
		return fault.New(fault.Invalid, "volume_source", "volume %s starts from an image or from another volume, not from both", v.ID)
	case v.Linked && v.From == "":
		return fault.New(fault.Invalid, "volume_linked", "volume %s is a linked clone, so it needs the volume that it is linked to", v.ID)
	case v.Image != "" && !IsDigest(v.Image):
		return fault.New(fault.Invalid, "image_digest", "%q is not an image digest: sha256: and 64 hexadecimal digits are", v.Image)
	}
	return CheckSize(v.SizeBytes)
}

// CheckSize holds the size of a volume within its bounds: whole sectors, at least one, at most image.MaxVirtualBytes.
func CheckSize(size int64) error {
	if size <= 0 || size%sectorSize != 0 || size > image.MaxVirtualBytes {
		return fault.New(fault.Invalid, "volume_size", "a volume has a multiple of %d bytes up to %d GiB, not %d bytes", sectorSize, image.MaxVirtualBytes>>30, size)
	}
	return nil
}

// CheckSnapshot holds an action and its tag within their bounds.
func CheckSnapshot(a SnapshotAction, tag string) error {
	switch a {
	case SnapshotCreate, SnapshotRevert, SnapshotDelete:
	default:
		return fault.New(fault.Invalid, "snapshot_action", "%q is not an action on a snapshot", a)
	}
	if !snapshotTag.MatchString(tag) {
		return fault.New(fault.Invalid, "snapshot_tag", "%q is not the name of a snapshot: up to 63 lower-case letters, digits and dashes are", tag)
	}
	return nil
}

// IsVolume reports whether v has the form of a volume's id, so that it is safe in a path.
func IsVolume(v id.Volume) bool { return id.Is(string(v)) && v[:4] == "vol-" }

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// IsDigest reports whether s has the form of an image digest, so that its hexadecimal part is safe in a path.
func IsDigest(s string) bool { return digestForm.MatchString(s) }

// NoVolume says that a volume is not in the pool.
func NoVolume(v id.Volume) error {
	return fault.New(fault.NotFound, "volume_not_found", "volume %s is not in this pool", v)
}

// NoImage says that an image is not in the cache.
func NoImage(digest string) error {
	return fault.New(fault.NotFound, "image_not_found", "image %s is not on this node; fetch it first", digest)
}

// NoSnapshot says that a volume has no snapshot of that name.
func NoSnapshot(v id.Volume, tag string) error {
	return fault.New(fault.NotFound, "snapshot_not_found", "volume %s has no snapshot %s", v, tag)
}

// TooManySnapshots refuses a snapshot beyond MaxSnapshots.
func TooManySnapshots(v id.Volume) error {
	return fault.New(fault.Exhausted, "snapshot_limit", "volume %s has %d snapshots already; delete one first", v, MaxSnapshots)
}

// HasSnapshots refuses a linked clone of a volume whose snapshots lie inside the file that would be frozen.
func HasSnapshots(v id.Volume, n int) error {
	return fault.New(fault.Conflict, "volume_has_snapshots", "volume %s has snapshots (%d), which a linked clone would freeze; delete them or make a full clone", v, n)
}

// StaleEpoch refuses a caller that is no longer the owner.
func StaleEpoch(v id.Volume, got, have int64) error {
	return fault.New(fault.Precondition, "volume_epoch", "volume %s belongs to owner epoch %d and this call speaks for the older %d", v, have, got)
}

// Lost refuses to make a volume anew that was whole before.
func Lost(v id.Volume) error {
	return fault.New(fault.NotFound, codeLost, "disk %s is no longer on its node; bring its storage back and start the VM again, or delete the VM", v)
}

// IsLost reports whether an error is that of Lost.
func IsLost(err error) bool {
	f, ok := errors.AsType[*fault.Error](err)
	return ok && f.Code == codeLost
}

const codeLost = "volume_lost"

// TooSmall refuses a volume smaller than what it starts from.
func TooSmall(v id.Volume, size, least int64) error {
	return fault.New(fault.Invalid, "volume_too_small", "volume %s would have %s and what it starts from has %s; ask for at least that", v, Bytes(size), Bytes(least))
}

// Full says that the room does not suffice.
func Full(free, needed int64) error {
	return fault.New(fault.Exhausted, "disk_full", "the storage of this node has %s free and this needs %s; delete something or use another node", Bytes(free), Bytes(needed))
}
