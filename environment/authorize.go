package environment

import (
	"cmp"
	"context"
	"fmt"
)

// An Operation names what Options.Authorize is asked about.
type Operation string

// The operations, with the methods of Engine that ask about each.
const (
	OpCreate   Operation = "create"          // Create; Put of a new name
	OpUpdate   Operation = "update"          // Update, Pause, Resume, Thaw, Reseal; Put of a known name
	OpDelete   Operation = "delete"          // Delete
	OpRead     Operation = "read"            // what makes no request and stores nothing: Get, Status, History, …
	OpValidate Operation = "validate"        // Validate
	OpImport   Operation = "import"          // Import
	OpPoll     Operation = "poll"            // Poll, Hint
	OpClient   Operation = "use the client"  // Client
	OpAccept   Operation = "accept removals" // AcceptRemovals, AcceptOrg
	OpForget   Operation = "forget"          // Forget
	OpConsumer Operation = "move a consumer" // Deliver, Follow, FollowAll, ResetConsumer, DeleteConsumer
)

// authorize asks Options.Authorize. Every exported method asks before it reads a secret, sends a
// request or writes anything, so that a caller who is denied learns nothing but that.
func (e *Engine) authorize(ctx context.Context, op Operation, before, after Record) error {
	if e.opts.Authorize == nil {
		return nil
	}
	if err := e.opts.Authorize(ctx, op, before.withoutSecret(), after.withoutSecret()); err != nil {
		return fmt.Errorf("environment: %s of %q %w: %w", op, cmp.Or(before.Name, after.Name), ErrDenied, err)
	}
	return nil
}
