package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"novacron/backend/core/wire"
)

// progress shows an operation's own sentences: one line that is rewritten on a terminal, one line per new sentence elsewhere.
type progress struct {
	w       io.Writer
	live    bool
	last    string
	started time.Time
}

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, live: ok && term.IsTerminal(int(f.Fd())), started: time.Now()}
}

// show takes the present state of the operation. How it ended is for end.
func (p *progress) show(o wire.Operation) {
	if o.Ended() {
		return
	}
	line := progressLine(o)
	if line == p.last {
		return
	}
	p.last = line
	if p.live {
		fmt.Fprintf(p.w, "\r\x1b[K%s", cut(line, terminalWidth(p.w)))
		return
	}
	fmt.Fprintln(p.w, line)
}

// end closes the line with how it went.
func (p *progress) end(o wire.Operation) {
	if p.live {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	took := time.Since(p.started).Round(100 * time.Millisecond)
	if o.Succeeded() {
		fmt.Fprintf(p.w, "done in %s\n", took)
	}
}

func progressLine(o wire.Operation) string {
	sentence := o.Sentence
	if sentence == "" && !o.Ended() && o.Step >= 0 && o.Step < len(o.Steps) {
		sentence = o.Steps[o.Step]
	}
	if sentence == "" {
		sentence = o.Status
	}
	return fmt.Sprintf("[%3.0f%%] %s", o.Progress*100, printable(sentence))
}

// operationError is what a failed operation says on the command line.
func operationError(o wire.Operation) error {
	if o.Succeeded() {
		return nil
	}
	if o.Error != nil && o.Error.Message != "" {
		return fmt.Errorf("%s", o.Error.Message)
	}
	return fmt.Errorf("the operation %s is %s", o.ID, o.Status)
}
