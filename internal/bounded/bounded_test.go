package bounded

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
	require.Empty(t, quick.message)
	end := start(&slow, 10*time.Millisecond)
	for began := processor(); processor()-began < 20*time.Millisecond; {
		continue
	}
	end()
	require.Regexp(t, "the input takes .* of the processor, more than 10ms", slow.message)
}
