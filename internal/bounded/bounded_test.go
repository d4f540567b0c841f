package bounded

import (
	"fmt"
	"regexp"
	"testing"
	"time"
)

// A failing test keeps why it failed.
type failing struct {
	testing.TB
	message string
}

func (f *failing) Helper()                           {}
func (f *failing) Errorf(format string, args ...any) { f.message = fmt.Sprintf(format, args...) }

func TestStart(t *testing.T) {
	var quick, slow failing
	Start(&quick)()
	if quick.message != "" {
		t.Errorf("a quick input fails: %s", quick.message)
	}
	end := start(&slow, 10*time.Millisecond)
	for began := processor(); processor()-began < 20*time.Millisecond; {
		continue
	}
	end()
	if !regexp.MustCompile("the input takes .* of the processor, more than 10ms").MatchString(slow.message) {
		t.Errorf("a slow input fails with %q", slow.message)
	}
}
