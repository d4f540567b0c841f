package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// find makes the path absolute and opens the folder around the file, which it creates
// if it does not exist. All files are then opened, renamed and removed in that folder,
// not by their path: a path leads elsewhere once the working directory changes, or a
// folder on it is moved.
func (s *Store) find() error {
	if s.path == "" {
		return errors.New("the path is empty: name a file, which is created if it does not exist")
	}
	if os.IsPathSeparator(s.path[len(s.path)-1]) {
		return errNoFile
	}
	var err error
	if s.path, err = filepath.Abs(s.path); err != nil {
		return err
	}
	// Compact would replace a link, not what it leads to, which other names open.
	if target, err := os.Readlink(s.path); err == nil {
		if s.path, err = filepath.EvalSymlinks(s.path); err != nil {
			return fmt.Errorf("it is a link to %s, where there is no file: name the file itself, or remove the link: %w", target, err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	if s.folder, err = os.OpenRoot(filepath.Dir(s.path)); err != nil {
		return err
	}
	s.name = filepath.Base(s.path)
	if info, err := s.folder.Stat(s.name); err == nil && !info.Mode().IsRegular() {
		return errors.Join(errNoFile, s.folder.Close())
	}
	return nil
}

var errNoFile = errors.New("not a regular file: name a file, which is created if it does not exist")

// inPlace returns an error unless the name of the store still leads to the file that
// it has open.
func (s *Store) inPlace() error {
	info, err := s.folder.Stat(s.name)
	if err == nil && os.SameFile(info, s.info) {
		return nil
	}
	return errors.Join(errors.New("the file was moved, removed or replaced while the store is open; Backup still writes what the store holds, if the folder is there"), err)
}
