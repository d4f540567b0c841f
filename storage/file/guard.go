package file

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/cxsync/cxsync/storage"
)

// guard calls f, which works on mapped pages, and turns into an error what a
// damaged file makes of that: a panic of bbolt, or a fault of the memory, which is
// what reading a page behind the end of the file is. Whatever bbolt does on a file that
// may be damaged goes through it.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", storage.ErrCorrupt, r)
		}
	}()
	return f()
}

// syncDir makes the names in a folder durable. Windows does so by itself, and
// cannot sync a folder.
func syncDir(folder *os.Root) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := folder.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
