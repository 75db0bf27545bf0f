package dir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/image"
	"novacron/backend/storage"
	"novacron/backend/storage/durable"
)

// A linked clone in four durable steps; a crash between two of them loses nothing, and the same call goes on.
//
//	1  bases/B      a second name for the source's disk file
//	2  source       an empty disk file over B, not yet named by its meta
//	3  source       its meta names the new file and B: from here on B is frozen
//	4  clone        a new volume over B
//
// B without 3 stands on nobody and is collected. After 3 without 4 the source's own file is still empty, so the next clone
// shares B instead of making another one, as do all clones of a source that was not started in between.

// link makes v a linked clone.
func (p *Pool) link(v storage.Volume) (meta, error) {
	from, src, err := p.source(v)
	if err != nil {
		return meta{}, err
	}
	snapshots, err := atRest(src.Path)
	if err != nil {
		return meta{}, err
	}
	if snapshots > 0 {
		return meta{}, storage.HasSnapshots(v.From, snapshots)
	}
	base := from.Base
	if same, err := untouched(src.Path); err != nil {
		return meta{}, err
	} else if base == "" || !same || from.SizeBytes != p.baseSize(base) {
		if base, err = p.freeze(v, from); err != nil {
			return meta{}, err
		}
	}
	on := meta{Base: base}
	return p.build(v, on, p.empty(v.SizeBytes, on))
}

func (p *Pool) baseSize(base string) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bases[base].SizeBytes
}

// freeze turns the source's content into a base and puts the source on it.
func (p *Pool) freeze(v storage.Volume, from meta) (string, error) {
	if p.depth(from) >= maxChain-1 {
		return "", fault.New(fault.Unsupported, "disk_chain", "volume %s is a clone of clones %d deep; make a full clone instead", v.From, maxChain-1)
	}
	base := strings.Replace(string(id.NewVolume()), "vol-", "base-", 1)
	done := p.expect(base)
	err := p.stand(v, from, base)
	done()
	if err != nil {
		return "", errors.Join(p.full(err, 0), p.collect())
	}
	return base, nil
}

// stand makes the base and puts the source on it.
func (p *Pool) stand(v storage.Volume, from meta, base string) error {
	frozen := from
	frozen.Epoch, frozen.Disk = 0, firstDisk
	temp := p.dir("bases", tempPrefix+base)
	if err := p.second(temp, base, filepath.Join(p.volumeDir(v.From), from.Disk), frozen); err != nil {
		_ = os.RemoveAll(temp)
		return err
	}
	return p.move(v, from, base)
}

// second gives the disk file a second name, in the folder of the base.
func (p *Pool) second(temp, base, disk string, m meta) error {
	if err := os.Mkdir(temp, 0o700); err != nil {
		return err
	}
	if err := os.Link(disk, filepath.Join(temp, m.Disk)); err != nil {
		return err
	}
	if err := writeMeta(temp, m); err != nil {
		return err
	}
	if err := os.Rename(temp, p.dir("bases", base)); err != nil {
		return err
	}
	if err := durable.SyncDir(p.dir("bases")); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bases[base] = m
	return nil
}

// move puts the source on the base with an empty disk file of its own.
func (p *Pool) move(v storage.Volume, from meta, base string) error {
	dir := p.volumeDir(v.From)
	moved := meta{SizeBytes: from.SizeBytes, Epoch: from.Epoch, Base: base, Disk: "disk-" + base + ".qcow2"}
	path := filepath.Join(dir, moved.Disk)
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	if err := writeDisk(path, p.empty(moved.SizeBytes, meta{Base: base})); err != nil {
		_ = os.Remove(path)
		return err
	}
	if err := p.put(v.From, moved); err != nil {
		_ = os.Remove(path)
		return err
	}
	// Only the second name is left. A crash before this is tidied up when the pool is opened.
	if err := os.Remove(filepath.Join(dir, from.Disk)); err != nil {
		return fmt.Errorf("drop the old name of a frozen disk: %w", err)
	}
	return nil
}

// depth counts the bases below.
func (p *Pool) depth(m meta) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for m.Base != "" && n <= maxChain {
		m = p.bases[m.Base]
		n++
	}
	return n
}

// collect removes the bases that nothing stands on, and then those below them.
func (p *Pool) collect() error {
	p.collecting.Lock()
	defer p.collecting.Unlock()
	for {
		base := p.unused()
		if base == "" {
			return nil
		}
		temp := p.dir("bases", tempPrefix+base)
		if err := os.RemoveAll(temp); err != nil {
			return fmt.Errorf("collect %s: %w", base, err)
		}
		if err := os.Rename(p.dir("bases", base), temp); err != nil {
			return fmt.Errorf("collect %s: %w", base, err)
		}
		if err := durable.SyncDir(p.dir("bases")); err != nil {
			return fmt.Errorf("collect %s: %w", base, err)
		}
		p.mu.Lock()
		delete(p.bases, base)
		p.mu.Unlock()
		if err := os.RemoveAll(temp); err != nil {
			return fmt.Errorf("collect %s: %w", base, err)
		}
	}
}

func (p *Pool) unused() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	used := map[string]bool{}
	for _, m := range p.volumes {
		used[m.Base] = true
	}
	for _, m := range p.bases {
		used[m.Base] = true
	}
	for base := range p.bases {
		if !used[base] && p.pending[base] == 0 {
			return base
		}
	}
	return ""
}

// untouched reports whether nothing was written to a disk file since it was made.
func untouched(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	return image.Untouched(f, info.Size())
}
