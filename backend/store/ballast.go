package store

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"novacron/backend/core/fault"
)

// A full disk would keep SQLite from writing even the stop or the delete that frees room. Beside the database lies a file that holds
// nothing: it goes when the disk is full, and what makes more is refused until there is room for it again.
const (
	// ballastBytes: a forced stop and a delete write some 0.5 MiB of log and events together, and the log begins anew every 4 MiB. This is
	// room for many hundreds of them, and for the sessions and the node's journal on the same disk meanwhile.
	ballastBytes = 32 << 20
	// ballastSpare is what must be free beside a new ballast: it must not be what fills the disk.
	ballastSpare = 32 << 20
	// ballastFull is when the disk counts as full though no write of the database has failed: the sessions' and the journals' may have.
	ballastFull  = 128 << 10
	ballastEvery = time.Second // how often the disk is looked at; a statfs takes a microsecond
)

// ballast holds room on the disk of a SQLite database.
type ballast struct {
	path string
	log  *slog.Logger

	mu      sync.Mutex
	held    bool
	told    bool // the log says that the disk is full
	dropped time.Time
}

// openBallast takes over the ballast of an earlier life, or makes one where there is room.
func openBallast(database string, log *slog.Logger) *ballast {
	b := &ballast{path: database + ".ballast", log: log}
	b.look()
	if !b.held {
		b.told = true
		log.Warn("the disk of the database is full: what needs more room is refused", "path", database)
	}
	return b
}

// watch looks at the disk until ctx ends.
func (b *ballast) watch(ctx context.Context) {
	tick := time.NewTicker(ballastEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			b.look()
		}
	}
}

// look drops the ballast on a full disk, and makes it when there is room again.
func (b *ballast) look() {
	var st unix.Statfs_t
	if err := unix.Statfs(b.path, &st); err != nil && unix.Statfs(filepath.Dir(b.path), &st) != nil {
		return // the database's own calls say what is wrong
	}
	free := int64(st.Bavail) * st.Bsize // without what is kept for root
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.held && int64(st.Bfree)*st.Bsize < ballastFull:
		b.drop()
	case !b.held && (b.whole() || free >= ballastBytes+ballastSpare && b.fill() == nil):
		b.held = true
		if b.told {
			b.log.Info("there is room beside the database again", "path", b.path)
		}
		b.told = false
	}
}

// whole reports whether the file is there in its full size, as an earlier life left it.
func (b *ballast) whole() bool {
	var st unix.Stat_t
	return unix.Stat(b.path, &st) == nil && st.Blocks*512 >= ballastBytes
}

// fill makes the file with its blocks.
func (b *ballast) fill() error {
	f, err := os.OpenFile(b.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, ballastBytes)
	if errors.Is(err, unix.EOPNOTSUPP) {
		zeros := make([]byte, 1<<20)
		for range ballastBytes / len(zeros) {
			if _, err = f.Write(zeros); err != nil {
				break
			}
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(b.path)) // half of it would only take room
	}
	return nil
}

// release drops the ballast for a write that found the disk full, and says whether that made room, or another write did just now.
func (b *ballast) release() bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held && b.drop() || time.Since(b.dropped) < ballastEvery
}

func (b *ballast) drop() bool {
	b.held, b.told = false, true
	b.log.Warn("the disk of the database is full: room kept for stops and deletes is given free, what needs more is refused", "path", b.path)
	if err := os.Remove(b.path); err != nil {
		b.log.Error("the room kept for a full disk cannot be given free", "path", b.path, "err", err)
		return false
	}
	b.dropped = time.Now()
	return true
}

// Room refuses what would take more of the disk while the disk of the database is full. fault.Exhausted with code database_full. On
// PostgreSQL it says nothing: that disk is another's.
func (db *DB) Room() error {
	if db.ballast == nil {
		return nil
	}
	db.ballast.mu.Lock()
	defer db.ballast.mu.Unlock()
	if db.ballast.held {
		return nil
	}
	return fault.New(fault.Exhausted, "database_full",
		"the disk of the database is full, so nothing new can be made; delete VMs, snapshots or images, or free %d MiB on it", (ballastBytes+ballastSpare)>>20)
}

// HoldsBallast reports whether the room for a full disk is there beside the SQLite database at path, for doctor.
func HoldsBallast(path string) bool {
	b := ballast{path: path + ".ballast"}
	return b.whole()
}
