package poller

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cxsync/cxsync/internal/printable"
)

// ParseError says what is wrong with a CRON expression, and where.
type ParseError struct {
	Cron     string // the expression as it was given
	Field    string // "minute", "hour", "day of month", "month", "day of week", or "expression" for the whole
	Position int    // byte position in Cron, counted from 1
	Reason   string
}

func (e *ParseError) Error() string {
	return printable.Text(fmt.Sprintf("poller: cron %q: %s at position %d: %s", e.Cron, e.Field, e.Position, e.Reason))
}

// The grammar of expressions; the package comment has it for users. It is stricter than cron's,
// because an expression that is refused at once costs less than one that fires at another time than
// its author thinks. Every field is read even if one before is at fault, and each fault has its
// position.

// set holds the numbers 0 to 63 as bits.
type set uint64

func (s set) has(n int) bool { return s>>n&1 == 1 }

func (s set) count() int { return bits.OnesCount64(uint64(s)) }

func (s set) first() int { return bits.TrailingZeros64(uint64(s)) }

func (s set) last() int { return bits.Len64(uint64(s)) - 1 }

// from drops the members below n.
func (s set) from(n int) set { return s >> n << n }

func (s set) values() []int {
	var list []int
	for ; s != 0; s &= s - 1 {
		list = append(list, s.first())
	}
	return list
}

// span is the set of low to high.
func span(low, high int) set { return set(1)<<(high+1) - set(1)<<low }

// A field is one of the five of an expression.
type field struct {
	name     string
	min, max int
	names    []string // names[i] stands for min+i
}

const (
	minute = iota
	hour
	dayOfMonth
	month
	dayOfWeek
)

var fields = [5]field{
	minute:     {name: "minute", min: 0, max: 59},
	hour:       {name: "hour", min: 0, max: 23},
	dayOfMonth: {name: "day of month", min: 1, max: 31},
	month: {name: "month", min: 1, max: 12, names: []string{
		"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
	}},
	dayOfWeek: {name: "day of week", min: 0, max: 7, names: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
}

var macros = map[string]string{
	"@yearly":   "0 0 1 1 *",
	"@annually": "0 0 1 1 *",
	"@monthly":  "0 0 1 * *",
	"@weekly":   "0 0 * * 0",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *",
	"@hourly":   "0 * * * *",
}

// fieldSpec is one parsed field.
type fieldSpec struct {
	text string // numbers only, no leading zeros
	star bool   // begins with *, which decides how the two day fields combine
	set  set    // Sunday is 0
}

// parse reads an expression; the error joins one *ParseError for each field at fault.
func parse(cron string) ([5]fieldSpec, error) {
	var specs [5]fieldSpec
	tokens := tokenize(cron)
	if len(tokens) > 0 && strings.HasPrefix(tokens[0].text, "@") {
		expanded, reason := expand(tokens)
		if reason != "" {
			return specs, &ParseError{cron, "expression", tokens[0].position, reason}
		}
		tokens = tokenize(expanded)
	}
	if err := checkCount(cron, tokens); err != nil {
		return specs, err
	}
	var faults []error
	for i, token := range tokens {
		spec, fault := fields[i].parse(token)
		if fault != nil {
			faults = append(faults, &ParseError{cron, fields[i].name, fault.position, fault.text})
		}
		specs[i] = spec
	}
	if faults != nil {
		return specs, errors.Join(faults...)
	}
	if reason := neverFires(&specs); reason != "" {
		return specs, &ParseError{cron, fields[dayOfMonth].name, tokens[dayOfMonth].position, reason}
	}
	return specs, nil
}

// A token is a piece of an expression, or what is wrong with one.
type token struct {
	text     string
	position int // of its first byte, from 1
}

// from is the rest of the token after n bytes, at its own position.
func (t token) from(n int) token { return token{t.text[n:], t.position + n} }

// split cuts the token at each sep.
func (t token) split(sep byte) []token {
	var parts []token
	for {
		i := strings.IndexByte(t.text, sep)
		if i < 0 {
			return append(parts, t)
		}
		parts = append(parts, token{t.text[:i], t.position})
		t = t.from(i + 1)
	}
}

// fault returns what is wrong with the token, at its position.
func (t token) fault(format string, args ...any) *token {
	return &token{fmt.Sprintf(format, args...), t.position}
}

// tokenize splits at blanks.
func tokenize(cron string) []token {
	blank := func(r rune) bool { return r == ' ' || r == '\t' }
	cron = strings.TrimRight(cron, "\r\n") // the end of a line that it was read from
	var tokens []token
	for rest := (token{cron, 1}); ; {
		start := strings.IndexFunc(rest.text, func(r rune) bool { return !blank(r) })
		if start < 0 {
			return tokens
		}
		rest = rest.from(start)
		end := strings.IndexFunc(rest.text, blank)
		if end < 0 {
			return append(tokens, rest)
		}
		tokens = append(tokens, token{rest.text[:end], rest.position})
		rest = rest.from(end)
	}
}

// expand returns the five fields that a macro stands for, or why there are none.
func expand(tokens []token) (cron, reason string) {
	name := strings.ToLower(tokens[0].text)
	cron, ok := macros[name]
	switch {
	case name == "@every":
		return "", "@every is not supported; write a step instead, such as */5 * * * *"
	case !ok:
		return "", fmt.Sprintf("unknown macro %q; want @hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually", tokens[0].text)
	case len(tokens) > 1:
		return "", name + " stands alone"
	}
	return cron, ""
}

// checkCount refuses any other number of fields than five, with what people are likely to have
// meant.
func checkCount(cron string, tokens []token) error {
	n := len(tokens)
	switch {
	case n == 0:
		return &ParseError{cron, "expression", 1, `empty; want five fields, such as "0 * * * *"`}
	case strings.HasPrefix(tokens[0].text, "CRON_TZ=") || strings.HasPrefix(tokens[0].text, "TZ="):
		return &ParseError{cron, "expression", tokens[0].position, "a time zone is set for the plan, not in the expression"}
	case n < len(fields):
		return &ParseError{cron, fields[n].name, len(cron) + 1, fmt.Sprintf("missing; %d of 5 fields given (minute, hour, day of month, month, day of week)", n)}
	case n > len(fields):
		return &ParseError{cron, "expression", tokens[5].position, fmt.Sprintf("%d fields, want 5 (minute, hour, day of month, month, day of week); there are no seconds or years", n)}
	}
	return nil
}

// parse reads one field. The second result is what is wrong with it, nil if nothing is.
func (f *field) parse(t token) (fieldSpec, *token) {
	spec := fieldSpec{star: t.text[:1] == "*"}
	items := t.split(',')
	texts := make([]string, len(items))
	for i, item := range items {
		text, members, fault := f.parseItem(item)
		if fault != nil {
			return spec, fault
		}
		if text == "*" && len(items) > 1 {
			return spec, item.fault("%q in a list; * must be the whole field", item.text)
		}
		texts[i] = text
		spec.set |= members
	}
	spec.text = strings.Join(texts, ",")
	if spec.set.has(7) && f == &fields[dayOfWeek] {
		spec.set = spec.set&^(1<<7) | 1
	}
	return spec, nil
}

// parseItem reads *, a number, or a range, the first and last with an optional step.
func (f *field) parseItem(t token) (string, set, *token) {
	if t.text == "" {
		return "", 0, t.fault("empty list item")
	}
	parts := t.split('/')
	if len(parts) > 2 {
		return "", 0, parts[2].fault("a second step in %q", t.text)
	}
	text, low, high, fault := f.parseRange(parts[0])
	if fault != nil {
		return "", 0, fault
	}
	members := span(low, high)
	if len(parts) == 1 {
		return text, members, nil
	}
	if text == strconv.Itoa(low) {
		return "", 0, parts[1].fault("a step needs * or a range before it, such as %d-%d/%s", low, f.max, cmp.Or(parts[1].text, "2"))
	}
	step, fault := f.parseStep(parts[1])
	if fault != nil {
		return "", 0, fault
	}
	if step == 1 {
		return text, members, nil
	}
	members = 0
	for n := low; n <= high; n += step {
		members |= 1 << n
	}
	return fmt.Sprintf("%s/%d", text, step), members, nil
}

// parseRange reads *, a number or two numbers; text is the normal form.
func (f *field) parseRange(t token) (text string, low, high int, fault *token) {
	if t.text == "*" {
		return "*", f.min, f.max, nil
	}
	ends := t.split('-')
	if len(ends) > 2 {
		return "", 0, 0, ends[2].fault("%q is not a range; want two values, such as %d-%d", t.text, f.min, f.max)
	}
	if low, fault = f.parseValue(ends[0]); fault != nil {
		return "", 0, 0, fault
	}
	if len(ends) == 1 {
		return strconv.Itoa(low), low, low, nil
	}
	if high, fault = f.parseValue(ends[1]); fault != nil {
		return "", 0, 0, fault
	}
	if f == &fields[dayOfWeek] && strings.EqualFold(ends[1].text, "SUN") {
		high = 7
	}
	if low > high {
		return "", 0, 0, t.fault("range %q runs backwards", t.text)
	}
	return fmt.Sprintf("%d-%d", low, high), low, high, nil
}

func (f *field) parseValue(t token) (int, *token) {
	if i := slices.Index(f.names, strings.ToUpper(t.text)); i >= 0 {
		return f.min + i, nil
	}
	n, ok := number(t.text)
	switch {
	case t.text == "":
		return 0, t.fault("a number is missing")
	case !ok && f.names != nil:
		return 0, t.fault("%q is neither a number nor one of %s to %s", t.text, f.names[0], f.names[len(f.names)-1])
	case !ok:
		return 0, t.fault("%q is not a number", t.text)
	case n < f.min || n > f.max:
		return 0, t.fault("%s is out of range; want %d to %d", t.text, f.min, f.max)
	}
	return n, nil
}

func (f *field) parseStep(t token) (int, *token) {
	n, ok := number(t.text)
	switch {
	case t.text == "":
		return 0, t.fault("a step is missing after /")
	case !ok:
		return 0, t.fault("step %q is not a number", t.text)
	case n < 1 || n > f.max:
		return 0, t.fault("step %s is out of range; want 1 to %d", t.text, f.max)
	}
	return n, nil
}

// number accepts decimal digits only; a number too long to matter becomes one that is out of every
// range.
func number(text string) (int, bool) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	if n, err := strconv.Atoi(text); err == nil {
		return n, true
	}
	return 1 << 30, true
}

// neverFires explains why an expression has no date, or is empty when it has one. A month and a day
// that exist together meet every weekday within the 400 years after which the calendar repeats, 29
// February included; so only the day of month and the month can rule each other out, and only when
// the weekday is no alternative to them.
func neverFires(specs *[5]fieldSpec) string {
	days, months := specs[dayOfMonth], specs[month]
	if !days.star && !specs[dayOfWeek].star {
		return ""
	}
	longest := 0
	for _, m := range months.set.values() {
		longest = max(longest, daysIn(2000, time.Month(m))) // a leap year
	}
	if days.set.first() <= longest {
		return ""
	}
	return fmt.Sprintf("never fires: month %s has no day %s", months.text, days.text)
}
