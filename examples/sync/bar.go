package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/ratelimit"
)

// A bar is the last line of a terminal, which tells how far it is. What is printed goes above it.
type bar struct {
	out   io.Writer
	width func() int // of the terminal, which may change meanwhile

	mu   sync.Mutex
	line string // as it stands there; empty if there is none
}

// eraseLine goes to the begin of the line and clears it.
const eraseLine = "\r\x1b[K"

// draw replaces the line by the first text that fits, or by what fits of the last one. The
// terminal never wraps it, which would leave half of it behind.
func (b *bar) draw(texts ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if line := fit(b.width()-1, texts); line != b.line {
		b.line = line
		fmt.Fprint(b.out, eraseLine, line)
	}
}

// fit returns the first text of at most n characters, or so much of the last one.
func fit(n int, texts []string) string {
	n = max(n, 1)
	for _, text := range texts {
		if utf8.RuneCountInString(text) <= n {
			return text
		}
	}
	return string([]rune(texts[len(texts)-1])[:n])
}

// Write prints lines above the bar.
func (b *bar) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.line == "" {
		return b.out.Write(p)
	}
	n, err := fmt.Fprintf(b.out, "%s%s%s", eraseLine, p, b.line)
	return min(n, len(p)), err
}

// clear takes the bar away.
func (b *bar) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.line != "" {
		b.line = ""
		fmt.Fprint(b.out, eraseLine)
	}
}

// texts says how far an import is, in fewer and fewer words.
func texts(s environment.Progress, quota ratelimit.State, now time.Time) []string {
	types := fmt.Sprintf("%d of %d types", s.Done, s.Types)
	more := fmt.Sprintf("%s, %d objects, %d requests", types, s.Objects, s.Requests)
	until := ""
	if s.End.After(now) && s.Done < s.Types {
		until = ", until about " + clock(now, s.End)
	}
	all := []string{drawn(30, s) + " " + more + until, drawn(20, s) + " " + more + until, drawn(10, s) + " " + more, drawn(10, s) + " " + types, types}
	if wait := waits(quota, now); wait != "" {
		all = append([]string{drawn(20, s) + " " + types + ", " + wait, drawn(10, s) + " " + types + ", " + wait, types + ", " + wait, wait}, all...)
	}
	return all
}

// drawn draws an import in so many characters and two brackets.
func drawn(width int, s environment.Progress) string {
	n := 0
	if s.Types > 0 {
		n = width * min(s.Done, s.Types) / s.Types
	}
	return "[" + strings.Repeat("=", n) + strings.Repeat(" ", width-n) + "]"
}

// waits says what requests wait for and until when, or nothing if they do not.
func waits(q ratelimit.State, now time.Time) string {
	switch {
	case len(q.Frozen) > 0 && q.Waiting > 0:
		return "the org asked to wait until " + clock(now, q.Frozen[0].Until)
	case q.Waiting == 0 || q.Free > 0:
		return ""
	case q.NextFree.IsZero():
		return "waiting for the quota"
	}
	return "waiting for the quota until " + clock(now, q.NextFree)
}

// clock writes a time, with its date on another day than today.
func clock(now, t time.Time) string {
	now, t = now.Local(), t.Local()
	if now.Format(time.DateOnly) == t.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format("2 Jan 15:04:05")
}
