package cli

import (
	"io"
	"strings"
	"testing"
)

func TestUnknownWord_isRefusedBehindAGroupOfCommands(t *testing.T) {
	for line, refused := range map[string]bool{
		"vm crate": true, "vm -o json crate": true, "vm snapshot nonsense x": true,
		"vm": false, "vm --help": false, "vm crate --help": false, "vm list": false, "help vm": false, "vm -o nonsense": false, "": false,
	} {
		err := unknownWord(newRoot(&session{out: io.Discard, err: io.Discard}), strings.Fields(line))
		if (err != nil) != refused {
			t.Errorf("novacron %s: %v", line, err)
		}
	}
}
