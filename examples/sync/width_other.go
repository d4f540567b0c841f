//go:build !unix

package main

import "os"

// columns returns the width of a terminal, and whether f is one.
func columns(f *os.File) (n int, ok bool) {
	info, err := f.Stat()
	return 80, err == nil && info.Mode()&os.ModeCharDevice != 0
}
