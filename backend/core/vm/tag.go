package vm

import (
	"net/netip"
	"slices"
	"strings"
)

// Limits of the tags of one VM.
const (
	MaxTags      = 16
	MaxTagLength = 63
)

// tagSet is what a tag is made of. It has no comma, which stands between tags in a query and in the store.
const tagSet = "abcdefghijklmnopqrstuvwxyz0123456789._-"

// CheckTags gives the tags in their order and each once, or refuses them with the first at fault.
func CheckTags(tags []string) ([]string, error) {
	if len(tags) > MaxTags {
		return nil, invalid("tags", "a VM has up to %d tags, not %d", MaxTags, len(tags))
	}
	for _, t := range tags {
		if t == "" || len(t) > MaxTagLength || strings.ContainsFunc(t, noTag) {
			return nil, invalid("tags", "%q is not a tag: one has 1 to %d lower-case letters, digits, dots, hyphens and underscores", short(t), MaxTagLength)
		}
	}
	sorted := slices.Clone(tags)
	slices.Sort(sorted)
	return slices.Compact(sorted), nil
}

func noTag(r rune) bool { return !strings.ContainsRune(tagSet, r) }

// CheckAddressSearch gives what to look for among the addresses of VMs: a whole address in its one form, or the beginning of one.
func CheckAddressSearch(text string) (part string, whole bool, err error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return a.Unmap().String(), true, nil
	}
	const longest = 39 // characters of an IPv6 address
	if part = strings.ToLower(text); part == "" || len(part) > longest || strings.Trim(part, "0123456789abcdef.:") != "" {
		return "", false, invalid("address", "%q is neither an address nor the beginning of one; write 10.0.0.7 or 10.0.", short(text))
	}
	return part, false, nil
}
