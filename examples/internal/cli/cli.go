// Package cli holds what several example programs need: to choose an environment, to print JSON on a
// terminal, and to serve this machine only.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"

	"github.com/cxsync/cxsync/environment"
)

// ErrChoose reports that no name was given and none could be guessed.
var ErrChoose = errors.New("choose an environment")

// Choose returns the environment of that name, or the only one.
func Choose(ctx context.Context, engine *environment.Engine, name string) (environment.Record, error) {
	if name != "" {
		return engine.Find(ctx, name)
	}
	var records []environment.Record
	var names []string
	for r, err := range engine.All(ctx) {
		if err != nil {
			return r, err
		}
		records, names = append(records, r), append(names, r.Name)
	}
	switch len(records) {
	case 0:
		return environment.Record{}, fmt.Errorf("%w: there is none yet", ErrChoose)
	case 1:
		return records[0], nil
	}
	return environment.Record{}, fmt.Errorf("%w with -name, of %q", ErrChoose, names)
}

// JSON returns a writer for JSON that writes to w what means the same and has no character that a terminal acts on:
// encoding/json leaves those of eight bits, and those that turn the direction of writing, as they are. Each Write gets whole
// values, as json.Encoder writes them.
func JSON(w io.Writer) io.Writer { return jsonWriter{w} }

type jsonWriter struct{ w io.Writer }

func (j jsonWriter) Write(text []byte) (int, error) {
	out := make([]byte, 0, len(text))
	for rest := text; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && n == 1:
			out = append(out, `\ufffd`...) // no UTF-8
		case r == '\n' || unicode.IsPrint(r):
			out = append(out, rest[:n]...)
		case r > 0xffff: // a surrogate pair
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		rest = rest[n:]
	}
	if _, err := j.w.Write(out); err != nil {
		return 0, err
	}
	return len(text), nil
}
