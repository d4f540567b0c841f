package main

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/ratelimit"
)

// screen is what a terminal shows of what was written: lines of a width, the last of which the
// cursor is in.
func screen(out string, width int) []string {
	lines, column := [][]rune{nil}, 0
	for len(out) > 0 {
		last := len(lines) - 1
		r, size := utf8.DecodeRuneInString(out)
		switch {
		case strings.HasPrefix(out, "\x1b[K"):
			lines[last], size = lines[last][:min(column, len(lines[last]))], 3
		case r == '\r':
			column = 0
		case r == '\n':
			lines, column = append(lines, nil), 0
		default:
			if column == width {
				lines, column, last = append(lines, nil), 0, last+1
			}
			if column == len(lines[last]) {
				lines[last] = append(lines[last], r)
			}
			lines[last][column] = r // what stands behind it stays
			column++
		}
		out = out[size:]
	}
	var texts []string
	for _, line := range lines {
		texts = append(texts, string(line))
	}
	return texts
}

// The bar takes one line of a terminal of any width, says what is waited for before anything else,
// and leaves nothing behind.
func TestBar(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.Local)
	waiting := ratelimit.State{Waiting: 3, NextFree: now.Add(42 * time.Second)}
	for width, want := range map[int][2]string{
		40: {"[===       ] 100 of 328 types", "waiting for the quota until 12:00:42"},
		76: {"[===       ] 100 of 328 types, 43210 objects, 1234 requests", "[===       ] 100 of 328 types, waiting for the quota until 12:00:42"},
		80: {"[===       ] 100 of 328 types, 43210 objects, 1234 requests", "[======              ] 100 of 328 types, waiting for the quota until 12:00:42"},
		200: {
			"[=========                     ] 100 of 328 types, 43210 objects, 1234 requests, until about 27 Nov 09:30:00",
			"[======              ] 100 of 328 types, waiting for the quota until 12:00:42",
		},
	} {
		t.Run(strconv.Itoa(width), func(t *testing.T) {
			var out strings.Builder
			b := &bar{out: &out, width: func() int { return width }}
			s := environment.Progress{Done: 100, Types: 328, Objects: 43210, Requests: 1234, End: now.Add(21*time.Hour + 30*time.Minute)}
			for done := range s.Done {
				partly := s
				partly.Done = done
				b.draw(texts(partly, ratelimit.State{}, now)...)
			}
			b.draw(texts(s, ratelimit.State{}, now)...)
			require.Equal(t, []string{want[0]}, screen(out.String(), width))
			b.draw(texts(s, waiting, now)...)
			require.Equal(t, []string{want[1]}, screen(out.String(), width))
			_, err := fmt.Fprintln(b, "updated routing.queues")
			require.NoError(t, err)
			lines := screen(out.String(), width)
			require.Len(t, lines, 2)
			require.Equal(t, "updated routing.queues", lines[0])
			require.Contains(t, lines[1], "until 12:00:42")
			b.clear()
			require.Equal(t, []string{"updated routing.queues", ""}, screen(out.String(), width))
		})
	}
	for width := range 120 {
		for _, q := range []ratelimit.State{{}, waiting, {Waiting: 1}, {Waiting: 1, Frozen: []ratelimit.Freeze{{Until: now.Add(48 * time.Hour)}}}} {
			var out strings.Builder
			b := &bar{out: &out, width: func() int { return width }}
			b.draw(texts(environment.Progress{Done: 328, Types: 328, Objects: 1 << 30, Requests: 1 << 40}, q, now)...)
			require.Len(t, screen(out.String(), max(width, 2)), 1)
		}
	}
}
