package file

import (
	"context"
	"fmt"
)

// Verify implements storage.Verifier: it checks every page of the file and the
// checksum of every value. Commits wait until it is done, readers do not.
func (s *Store) Verify(ctx context.Context) error {
	unlock, err := s.lockWriter(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	c := checker{ctx: ctx, file: s.file, deep: true}
	if err := c.check(); err != nil {
		return fmt.Errorf("storage/file: verifying %s: %w", s.path, err)
	}
	return nil
}
