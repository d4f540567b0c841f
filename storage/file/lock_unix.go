//go:build !windows

package file

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes the advisory lock of the open file. It ends with the process, however
// that ends, and also excludes a second opening by the same process.
func tryLock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errHeld
	}
	return err
}

func unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
