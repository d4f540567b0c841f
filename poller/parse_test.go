package poller

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/bounded"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		cron     string
		field    string
		position int
		reason   string
	}{
		{"", "expression", 1, "empty"},
		{" \t ", "expression", 1, "empty"},
		{"*", "hour", 2, "1 of 5 fields"},
		{"* * * *", "day of week", 8, "4 of 5 fields"},
		{"* * * * * *", "expression", 11, "6 fields, want 5"},
		{"0 0 12 * * ? 2027", "expression", 12, "7 fields, want 5"},
		{"CRON_TZ=UTC 0 * * * *", "expression", 1, "time zone is set for the plan"},
		{"TZ=UTC 0 * * * *", "expression", 1, "time zone is set for the plan"},
		{"off", "hour", 4, "1 of 5 fields"},

		{"60 * * * *", "minute", 1, "60 is out of range; want 0 to 59"},
		{"5,60 * * * *", "minute", 3, "60 is out of range"},
		{"99999999999999999999 * * * *", "minute", 1, "out of range"},
		{"-1 * * * *", "minute", 1, "a number is missing"},
		{"+5 * * * *", "minute", 1, `"+5" is not a number`},
		{"1.5 * * * *", "minute", 1, `"1.5" is not a number`},
		{"0x5 * * * *", "minute", 1, "is not a number"},
		{"5e1 * * * *", "minute", 1, "is not a number"},
		{"a * * * *", "minute", 1, "is not a number"},
		{"JAN * * * *", "minute", 1, "is not a number"},
		{"٥ * * * *", "minute", 1, "is not a number"},
		{"* 24 * * *", "hour", 3, "24 is out of range; want 0 to 23"},
		{"* 9-25 * * *", "hour", 5, "25 is out of range"},
		{"* * 0 * *", "day of month", 5, "0 is out of range; want 1 to 31"},
		{"* * 32 * *", "day of month", 5, "32 is out of range"},
		{"* * L * *", "day of month", 5, `"L" is not a number`},
		{"* * 15W * *", "day of month", 5, `"15W" is not a number`},
		{"* * ? * *", "day of month", 5, `"?" is not a number`},
		{"* * * 0 *", "month", 7, "0 is out of range; want 1 to 12"},
		{"* * * 13 *", "month", 7, "13 is out of range"},
		{"* * * JANUARY *", "month", 7, "neither a number nor one of JAN to DEC"},
		{"* * * MON *", "month", 7, "neither a number nor one of JAN to DEC"},
		{"* * * * 8", "day of week", 9, "8 is out of range; want 0 to 7"},
		{"* * * * FUN", "day of week", 9, "neither a number nor one of SUN to SAT"},
		{"* * * * 5L", "day of week", 9, "neither a number"},
		{"* * * * MON#2", "day of week", 9, "neither a number"},
		{"0\n0 * * *", "day of week", 10, "4 of 5 fields"},
		{"0 0\u00a0* * *", "day of week", 11, "4 of 5 fields"},

		{", * * * *", "minute", 1, "empty list item"},
		{"1, * * * *", "minute", 3, "empty list item"},
		{",1 * * * *", "minute", 1, "empty list item"},
		{"1,,2 * * * *", "minute", 3, "empty list item"},
		{"*,5 * * * *", "minute", 1, "* must be the whole field"},
		{"5,* * * * *", "minute", 3, "* must be the whole field"},
		{"** * * * *", "minute", 1, `"**" is not a number`},
		{"*5 * * * *", "minute", 1, `"*5" is not a number`},

		{"1-2-3 * * * *", "minute", 5, "is not a range"},
		{"5- * * * *", "minute", 3, "a number is missing"},
		{"- * * * *", "minute", 1, "a number is missing"},
		{"*-5 * * * *", "minute", 1, `"*" is not a number`},
		{"5-* * * * *", "minute", 3, `"*" is not a number`},
		{"30-10 * * * *", "minute", 1, `range "30-10" runs backwards`},
		{"0 22-6 * * *", "hour", 3, "runs backwards"},
		{"0 0 * DEC-JAN *", "month", 7, "runs backwards"},
		{"0 0 * * FRI-MON", "day of week", 9, "runs backwards"},
		{"0 0 * * 7-1", "day of week", 9, "runs backwards"},

		{"*/90 * * * *", "minute", 3, "step 90 is out of range; want 1 to 59"},
		{"*/60 * * * *", "minute", 3, "step 60 is out of range"},
		{"*/0 * * * *", "minute", 3, "step 0 is out of range"},
		{"*/ * * * *", "minute", 3, "a step is missing"},
		{"*/-5 * * * *", "minute", 3, `step "-5" is not a number`},
		{"*/+5 * * * *", "minute", 3, `step "+5" is not a number`},
		{"*/x * * * *", "minute", 3, `step "x" is not a number`},
		{"*/5/5 * * * *", "minute", 5, "a second step"},
		{"/5 * * * *", "minute", 1, "a number is missing"},
		{"5/15 * * * *", "minute", 3, "a step needs * or a range before it, such as 5-59/15"},
		{"5/ * * * *", "minute", 3, "a step needs * or a range"},
		{"* */24 * * *", "hour", 5, "step 24 is out of range"},
		{"0 0 * * */8", "day of week", 11, "step 8 is out of range"},
		{"0 0 * * mon/2", "day of week", 13, "a step needs * or a range"},

		{"@reboot", "expression", 1, "unknown macro"},
		{"@every 5m", "expression", 1, "write a step instead"},
		{" @5minutes", "expression", 2, "unknown macro"},
		{"@hourly *", "expression", 1, "stands alone"},

		{"0 0 31 2 *", "day of month", 5, "never fires: month 2 has no day 31"},
		{"0 0 30 FEB *", "day of month", 5, "never fires: month 2 has no day 30"},
		{"0 0 30-31 2 *", "day of month", 5, "never fires"},
		{"0 0 31 4,6,9,11 *", "day of month", 5, "never fires: month 4,6,9,11 has no day 31"},
		{"0 0  31 4-6/2 *", "day of month", 6, "never fires"},
		{"0 0 30 2 */2", "day of month", 5, "never fires"},
	}
	for _, tt := range tests {
		_, err := ParseSchedule(tt.cron, nil)
		e, ok := errors.AsType[*ParseError](err)
		require.True(t, ok, "%q: %v", tt.cron, err)
		require.Equal(t, tt.field, e.Field, "%q", tt.cron)
		require.Equal(t, tt.position, e.Position, "%q", tt.cron)
		require.Contains(t, e.Reason, tt.reason, "%q", tt.cron)
		require.Equal(t, tt.cron, e.Cron)
	}
	t.Logf("%d expressions", len(tests))
}

func TestParseReportsEveryField(t *testing.T) {
	t.Parallel()
	_, err := ParseSchedule("60 24 0 13 8", nil)
	faults := parseErrors(err)
	require.Len(t, faults, 5)
	for i, fault := range faults {
		require.Equal(t, fields[i].name, fault.Field)
	}
}

func TestParseNormalizes(t *testing.T) {
	t.Parallel()
	tests := [][2]string{
		{"* * * * *", "* * * * *"},
		{"  05\t007  *   *  *  ", "5 7 * * *"},
		{"0 0 * jan,Dec MON-fri", "0 0 * 1,12 1-5"},
		{"0 0 * * SAT-SUN", "0 0 * * 6-7"},
		{"0 0 * * SUN-TUE", "0 0 * * 0-2"},
		{"0 0 * * 7", "0 0 * * 7"},
		{"*/1 */1 */1 */1 */1", "* * * * *"},
		{"0-59/01 1-5/2,20 * * *", "0-59 1-5/2,20 * * *"},
		{"@Hourly", "0 * * * *"},
		{"@midnight ", "0 0 * * *"},
		{"0 0 31 2 1", "0 0 31 2 1"}, // on Mondays
		{"0 0 29 2 */7", "0 0 29 2 */7"},
	}
	for _, tt := range tests {
		s, err := ParseSchedule(tt[0], nil)
		require.NoError(t, err)
		require.Equal(t, tt[1], s.String())
	}
}

// TestNeverFires holds the refusal against every date of the 400 years in which the calendar repeats.
func TestNeverFires(t *testing.T) {
	t.Parallel()
	occurs := map[clock]bool{}
	for date := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); date.Year() < 2400; date = date.AddDate(0, 0, 1) {
		occurs[clockOf(date)] = true
	}
	monthTexts := []string{"*", "2", "4,6,9,11", "2,4", "1", "6-9/3", "*/2", "2,11"}
	weekdayTexts := []string{"*", "1", "*/2", "*/7", "0-6", "7"}
	refused := 0
	for d := 27; d <= 31; d++ {
		for _, dayText := range []string{strconv.Itoa(d), fmt.Sprintf("%d-31", d), fmt.Sprintf("*/%d", d)} {
			for _, monthText := range monthTexts {
				for _, weekdayText := range weekdayTexts {
					cron := strings.Join([]string{"0 0", dayText, monthText, weekdayText}, " ")
					o, fires := newOracle(cron), false
					for date := range occurs {
						if fires = o.matchesDate(date); fires {
							break
						}
					}
					_, err := ParseSchedule(cron, nil)
					require.Equal(t, fires, err == nil, cron)
					if !fires {
						refused++
					}
				}
			}
		}
	}
	require.Positive(t, refused)
}

func FuzzParseSchedule(f *testing.F) {
	for _, cron := range []string{"* * * * *", "*/5 1-3,7 31 JAN-MAR SUN", "@daily", "0 0 29 2 */7", "1-2-3 +5 ,, a/b 99", "0\t0 * * FRI-SUN"} {
		f.Add(cron)
	}
	f.Fuzz(func(t *testing.T, cron string) {
		defer bounded.Start(t)()
		s, err := ParseSchedule(cron, nil)
		if err != nil {
			for _, fault := range parseErrors(err) {
				if fault.Position < 1 || fault.Position > len(cron)+1 || fault.Field == "" || fault.Reason == "" {
					t.Fatalf("%q: %+v", cron, fault)
				}
			}
			return
		}
		again, err := ParseSchedule(s.String(), nil)
		if err != nil || again.String() != s.String() {
			t.Fatalf("%q: normal form %q: %v", cron, s, err)
		}
		after := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		if next, want := s.Next(after), newOracle(s.String()).next(after); !next.Equal(want) {
			t.Fatalf("%q: next %s, want %s", cron, next, want)
		}
	})
}
