package storage

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Batch collects what one Commit stores: operations, which apply in their
// order, and requirements, which must hold before it. The zero Batch is empty
// and ready to use. It copies the values that it is given. It is not safe for
// concurrent use.
type Batch struct {
	reqs []Requirement
	ops  []Op
	size int
}

// A Requirement is the state that a key must have for a Batch to be stored.
type Requirement struct {
	Key    string
	Value  []byte // the value that Key must have
	Absent bool   // Key must have no value
}

// Met reports whether the requirement holds for a key with this value, or
// without one.
func (r Requirement) Met(value []byte, found bool) bool {
	if r.Absent {
		return !found
	}
	return found && bytes.Equal(value, r.Value)
}

// Conflict returns the error for a requirement that is not met.
func (r Requirement) Conflict() error { return &KeyError{Key: r.Key, Err: ErrConflict} }

// An OpKind says what an Op does.
type OpKind uint8

// The kinds of operations.
const (
	OpPut         OpKind = iota + 1 // Key gets Value
	OpDelete                        // Key is deleted, if it exists
	OpDeleteRange                   // all keys of Range are deleted
)

// An Op is one operation of a Batch. Its Value must not be changed.
type Op struct {
	Kind  OpKind
	Key   string
	Value []byte
	Range Range
}

// Put sets key to value.
func (b *Batch) Put(key string, value []byte) {
	b.ops = append(b.ops, Op{Kind: OpPut, Key: key, Value: bytes.Clone(value)})
	b.size += len(key) + len(value)
}

// Delete removes key. It need not exist.
func (b *Batch) Delete(key string) {
	b.ops = append(b.ops, Op{Kind: OpDelete, Key: key})
	b.size += len(key)
}

// DeleteRange removes all keys of r, those put earlier in this Batch included.
func (b *Batch) DeleteRange(r Range) {
	b.ops = append(b.ops, Op{Kind: OpDeleteRange, Range: r})
	b.size += len(r.Start) + len(r.End)
}

// Require makes the Commit fail unless key has this value before it.
func (b *Batch) Require(key string, value []byte) {
	b.reqs = append(b.reqs, Requirement{Key: key, Value: bytes.Clone(value)})
	b.size += len(key) + len(value)
}

// RequireAbsent makes the Commit fail unless key has no value before it.
func (b *Batch) RequireAbsent(key string) {
	b.reqs = append(b.reqs, Requirement{Key: key, Absent: true})
	b.size += len(key)
}

// Len returns the number of operations and requirements.
func (b *Batch) Len() int { return len(b.ops) + len(b.reqs) }

// Size returns the bytes of all keys and values.
func (b *Batch) Size() int { return b.size }

// Reset empties the Batch and keeps its memory.
func (b *Batch) Reset() {
	clear(b.reqs)
	clear(b.ops)
	b.reqs, b.ops, b.size = b.reqs[:0], b.ops[:0], 0
}

// Requirements returns the requirements. A backend may keep the values.
func (b *Batch) Requirements() iter.Seq[Requirement] { return slices.Values(b.reqs) }

// Ops returns the operations in their order. A backend may keep the values.
func (b *Batch) Ops() iter.Seq[Op] { return slices.Values(b.ops) }

// Check returns an error that matches ErrInvalid and names the key if a part of
// the Batch is beyond the limits of every Store. A backend calls it first in
// Commit.
func (b *Batch) Check() error {
	if b.size > MaxBatchSize {
		return fmt.Errorf("storage: %w: batch of %d bytes, more than %d", ErrInvalid, b.size, MaxBatchSize)
	}
	for _, r := range b.reqs {
		if err := check(r.Key, r.Value); err != nil {
			return err
		}
	}
	for _, o := range b.ops {
		if o.Kind == OpDeleteRange {
			continue
		}
		if err := check(o.Key, o.Value); err != nil {
			return err
		}
	}
	return nil
}

func check(key string, value []byte) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if len(value) > MaxValueSize {
		return invalid(key, "value of %d bytes, more than %d", len(value), MaxValueSize)
	}
	return nil
}

// CheckKey returns an error that matches ErrInvalid if no Store accepts key. A
// backend calls it first in Get.
func CheckKey(key string) error {
	switch {
	case key == "":
		return invalid(key, "key is empty")
	case len(key) > MaxKeySize:
		return invalid(key[:64]+"...", "key of %d bytes, more than %d", len(key), MaxKeySize)
	case strings.IndexByte(key, 0) >= 0:
		return invalid(key, "key has a NUL byte")
	case !utf8.ValidString(key):
		return invalid(key, "key is not UTF-8")
	}
	return nil
}

func invalid(key, format string, args ...any) error {
	return &KeyError{Key: key, Err: fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))}
}
