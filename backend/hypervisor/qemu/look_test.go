package qemu

import (
	"strings"
	"testing"

	"novacron/backend/hypervisor"
)

func TestLook_saysWhichToolsAreMissingAndWhatThatCosts(t *testing.T) {
	d := &Driver{options: Options{BinDir: t.TempDir()}}
	var host hypervisor.Host
	d.look(&host)
	for _, tool := range []string{"qemu-img", "swtpm"} {
		told := false
		for _, m := range host.Missing {
			told = told || strings.HasPrefix(m, tool+" is not installed, so ") && strings.Contains(m, "; install the package ")
		}
		if !told {
			t.Errorf("nothing is said of %s: %q", tool, host.Missing)
		}
	}
}
