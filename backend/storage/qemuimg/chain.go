package qemuimg

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"novacron/backend/hypervisor"
	"novacron/backend/storage/jail"
)

// chain is a disk with all the files below it, opened.
type chain struct {
	files   []jail.File // the top first
	formats []string
}

func open(top hypervisor.File, write bool) (*chain, error) {
	c := &chain{}
	for f := &top; f != nil; f = f.Backing {
		flag := os.O_RDONLY
		if write && f == &top {
			flag = os.O_RDWR
		}
		file, err := os.OpenFile(f.Path, flag, 0)
		if err != nil {
			c.close()
			return nil, fmt.Errorf("open a file of the disk: %w", err)
		}
		c.files = append(c.files, jail.File{Name: "disk" + strconv.Itoa(len(c.files)), File: file, Write: flag == os.O_RDWR})
		c.formats = append(c.formats, f.Format)
	}
	return c, nil
}

func (c *chain) close() {
	for _, f := range c.files {
		f.File.Close()
	}
}

// options describes the chain so that nothing is left for the program to guess or to look up: the lowest file of a format
// that knows backing files gets a backing of null, whatever its header says.
func (c *chain) options(path jail.Path) string {
	var below any
	for i := len(c.formats) - 1; i >= 0; i-- {
		node := map[string]any{
			"driver": c.formats[i],
			"file":   map[string]any{"driver": "file", "filename": path(c.files[i].Name)},
		}
		if c.formats[i] == "qcow2" || c.formats[i] == "vmdk" {
			node["backing"] = below
		}
		below = node
	}
	text, err := json.Marshal(below)
	if err != nil {
		panic("strings and maps always encode: " + err.Error())
	}
	return "json:" + string(text)
}

// inUse recognises the refusal of QEMU's own file locks.
func inUse(f *jail.Failed) bool {
	return strings.Contains(f.Stderr, "Failed to get") && strings.Contains(f.Stderr, "lock")
}
