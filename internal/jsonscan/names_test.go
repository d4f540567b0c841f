package jsonscan_test

import (
	"strconv"
	"testing"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// A name that is in the set is never missed, and few of the others are taken for one.
func TestNames(t *testing.T) {
	var none jsonscan.Names
	var some jsonscan.Names
	in := []string{"", "id", "name", "selfUri", "dateModified", "ü"}
	for _, name := range in {
		if none.MayHave([]byte(name)) {
			t.Errorf("none may have %q", name)
		}
		some.Add(name)
	}
	for _, name := range in {
		if !some.MayHave([]byte(name)) {
			t.Errorf("what was added is not there: %q", name)
		}
	}
	wrong := 0
	for i := range 1000 {
		if some.MayHave([]byte("member" + strconv.Itoa(i))) {
			wrong++
		}
	}
	if wrong >= 250 {
		t.Errorf("%d of 1000 names that were not added may be there", wrong)
	}
}
