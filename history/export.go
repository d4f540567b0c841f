package history

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cxsync/cxsync/history/diff"
)

// A File is one object of an export.
type File struct {
	Ref
	Path string // slash-separated: the type, then the natural key, such as "routing.queues/Support.json"
	Data []byte // canonical JSON, indented
}

// ExportOptions are the settings of an Export. The zero value exports all that is now.
type ExportOptions struct {
	At    time.Time // defaults to now
	Types []string  // as in Query; defaults to all
}

// Export iterates over the objects of a state as files, by type and id. An object whose
// compared fields did not change has the same bytes in every export, and the same path
// while neither it nor its parents are renamed.
//
// Paths are portable: what some file system does not take is written as "%" and two hexadecimal
// digits, and long names are cut. Objects of one type with one natural key, in whatever letter
// case, have their ids in their paths.
//
// For an object of which retention has removed what At needs, it yields an error that matches
// ErrTrimmed, with a File that names the object, and goes on. Any other error ends the iteration:
// one that matches ErrUnknown if a type was not known, or at At none at all.
func (h *History) Export(ctx context.Context, opts *ExportOptions) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		var o ExportOptions
		if opts != nil {
			o = *opts
		}
		var err error
		if o.Types, err = h.knownTypes(ctx, o.Types, o.At); err != nil {
			yield(File{}, err)
			return
		}
		ring, err := h.keyring(ctx, o.At, nil)
		if err != nil {
			yield(File{}, err)
			return
		}
		paths := ring.paths()
		l := h.lens(func(string) []string { return []string{"**.selfUri"} })
		for s, err := range h.snapshots(ctx, o.Types, o.At, nil) {
			f := File{Ref: s.Ref}
			if err == nil {
				f.Path = paths[Ref{Type: s.Type, ID: s.ID}]
				f.Data, err = l.file(ctx, s)
			}
			if !yield(f, err) || err != nil && !errors.Is(err, ErrTrimmed) {
				return
			}
		}
	}
}

// file returns the content of a file.
func (l *lens) file(ctx context.Context, s snapshot) ([]byte, error) {
	body, err := l.canonical(ctx, s)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, body, "", "  "); err != nil {
		return nil, fmt.Errorf("history: body of %s: %w", s.Ref, err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// paths returns the path of every live object. Two objects whose paths some file system takes for
// one, which may ignore letter case, both have their ids in them: which one came first must not
// matter.
func (k *keyring) paths() map[Ref]string {
	plain := map[Ref]string{}
	uses := map[string]int{} // by the path in lower case
	for typeName, objects := range k.owns {
		for id, one := range objects {
			if !one.live {
				continue
			}
			p := path.Join(portableName(typeName), portablePath(k.key(one.Ref)))
			plain[Ref{Type: typeName, ID: id}] = p
			uses[strings.ToLower(p)]++
		}
	}
	for r, p := range plain {
		// A path that is the type alone is that of an object without a name.
		if uses[strings.ToLower(p)] > 1 || p == portableName(r.Type) {
			p += " " + portableName(r.ID)
		}
		plain[r] = p + ".json"
	}
	return plain
}

// portablePath makes a path of a natural key.
func portablePath(key string) string {
	parts := strings.Split(key, "/")
	for i, part := range parts {
		parts[i] = portableName(unescapeKey.Replace(part))
	}
	return strings.Join(parts, "/")
}

var unescapeKey = strings.NewReplacer("%25", "%", "%2F", "/")

// maxName is how many bytes of a name every file system takes, with an id and ".json" behind it: 255 is
// the usual bound of one name, and a UUID has 36.
const maxName = 150

// portableName makes a name that every file system takes, and another one of each text, unless it
// is cut.
func portableName(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if portableRune(r, n) && (b.Len() > 0 || r != '.' && r != ' ') && (n < len(s) || r != '.' && r != ' ') {
			b.WriteString(s[:n])
		} else {
			for _, c := range []byte(s[:n]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		}
		s = s[n:]
	}
	name := b.String()
	if stem, _, _ := strings.Cut(name, "."); reservedNames[strings.ToUpper(stem)] {
		name = "%" + fmt.Sprintf("%02X", name[0]) + name[1:]
	}
	if len(name) > maxName {
		// Not keyed with the secret of the store: one object has the same path in every store.
		digest := diff.RawDigest(new([32]byte), []byte(name))
		name = strings.ToValidUTF8(name[:maxName-9], "") + "-" + digest.String()[:8]
	}
	return name
}

func portableRune(r rune, size int) bool {
	switch {
	case r == utf8.RuneError && size == 1, strings.ContainsRune(`%/\:*?"<>|`, r):
		return false
	}
	return r == ' ' || unicode.IsPrint(r)
}

// reservedNames are those of devices, which Windows takes for no file whatever follows behind a dot.
var reservedNames = func() map[string]bool {
	names := map[string]bool{"CON": true, "PRN": true, "AUX": true, "NUL": true}
	for _, c := range "123456789" {
		names["COM"+string(c)], names["LPT"+string(c)] = true, true
	}
	return names
}()
