package qemu

import (
	"context"
	"fmt"
	"os"

	"novacron/backend/hypervisor"
)

// addSet gives QEMU files as a new set, under which it can open them as often as it likes.
func (i *instance) addSet(ctx context.Context, files ...*os.File) (int, error) {
	set := -1
	for _, f := range files {
		arguments := args{}
		if set >= 0 {
			arguments["fdset-id"] = set
		}
		var answer struct {
			Set int `json:"fdset-id"`
		}
		if err := i.pass(ctx, "add-fd", arguments, &answer, f.Fd()); err != nil {
			if set >= 0 {
				i.removeSet(ctx, set)
			}
			return 0, err
		}
		set = answer.Set
	}
	return set, nil
}

func setName(set int) string { return fmt.Sprintf("/dev/fdset/%d", set) }

// removeSet lets QEMU close what it was given and no longer uses. A set that stays costs a descriptor, no more.
func (i *instance) removeSet(ctx context.Context, set int) {
	if err := i.run(ctx, "remove-fd", args{"fdset-id": set}, nil); err != nil {
		i.driver.log.Debug("a descriptor set stays", "vm", i.vm, "err", err)
	}
}

// giveFile opens a guest's file and gives it to QEMU as a set.
func (i *instance) giveFile(ctx context.Context, f hypervisor.File) (int, error) {
	var files []*os.File
	defer func() { closeAll(files) }()
	for _, kind := range opens(f) {
		file, err := openFile(kind, f.Path)
		if err != nil {
			return 0, err
		}
		files = append(files, file)
	}
	return i.addSet(ctx, files...)
}
