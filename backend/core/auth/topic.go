package auth

import (
	"maps"
	"slices"
	"strings"
)

// topics says what somebody must be allowed to see to be told of events. The key is an event's type up to its first dot.
var topics = map[string]Action{
	"vm":        ReadVM,
	"operation": ReadOperation,
	"image":     ReadImage,
	"metric":    ReadVM,
	"alert":     ReadVM,
	"node":      ReadPlatform,
	"audit":     ReadAudit,
}

// Topics lists the kinds of events that have a rule: vm, operation and so on.
func Topics() []string { return slices.Sorted(maps.Keys(topics)) }

// TopicOf is the kind of an event's type: vm of vm.state.
func TopicOf(event string) string { kind, _, _ := strings.Cut(event, "."); return kind }

// MayHear gives the kinds of events that the caller is told of: own about the things of the caller's tenant (of every tenant for those who
// see all), platform about what belongs to no tenant. A kind without a rule is heard by nobody. Neither says that the caller may
// listen at all: that is ReadEvent.
func MayHear(c Caller) (own, platform []string) {
	tenant := c.Tenant
	if SeesAll(c, ReadEvent) && !c.Chosen {
		tenant = ""
	}
	for _, kind := range Topics() {
		if May(c, topics[kind], tenant) == nil {
			own = append(own, kind)
		}
		if May(c, topics[kind], "") == nil {
			platform = append(platform, kind)
		}
	}
	return own, platform
}
