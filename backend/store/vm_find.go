package store

import (
	"fmt"
	"strings"
)

// packTags is how a column holds the tags of a VM: a comma before and behind each, so that looking for one with both finds no part of
// another. None is the empty text.
func packTags(tags []string) string {
	if len(tags) == 0 {
		return ""
	}
	return "," + strings.Join(tags, ",") + ","
}

func unpackTags(packed string) []string {
	if packed == "" {
		return nil
	}
	return strings.Split(strings.Trim(packed, ","), ",")
}

// tagged scans what packTags made.
type tagged struct{ tags *[]string }

// Scan takes what either driver gives for a text.
func (t tagged) Scan(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("tags in the database have type %T", v)
	}
	*t.tags = unpackTags(text)
	return nil
}

// address adds a search for VMs with an address that begins so, or is it as a whole, among those of their NICs and those that their
// nodes reported. Nothing is added for an empty one.
func (f *filter) address(begin string, whole bool) {
	if begin == "" {
		return
	}
	given, seen := begin, `"`+begin // reports hold a JSON list
	if whole {
		seen += `"`
	} else {
		given += "%"
	}
	f.args = append(f.args, given, "%"+seen+"%")
	n := len(f.args)
	f.where = append(f.where, fmt.Sprintf(`(v.id in (select a.vm from addresses a where a.address like $%d)
		or (v.id, v.node, v.epoch) in (select r.vm, r.node, r.epoch from vm_seen r where r.addresses like $%d))`, n-1, n))
}
