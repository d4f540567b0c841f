package environment

import (
	"errors"
	"strings"
	"time"
	_ "time/tzdata" // a system without the IANA database would stop polling what it has polled elsewhere
)

// Location returns the time zone of the record's schedules, to show its times in.
// It is UTC if TimeZone is empty or, in a record that was not checked, unknown.
func (r Record) Location() *time.Location {
	loc, err := r.location()
	if err != nil {
		return time.UTC
	}
	return loc
}

// location is Location with an error for Check. "Local" is refused, because processes on several
// machines share the schedules.
func (r Record) location() (*time.Location, error) {
	if strings.EqualFold(r.TimeZone, "Local") {
		return nil, errors.New(`differs from machine to machine; use an IANA name such as Europe/Vienna`)
	}
	loc, err := time.LoadLocation(r.TimeZone)
	if err != nil {
		return nil, errors.New("is no IANA time zone, such as Europe/Vienna or America/New_York; UTC if it is left out")
	}
	return loc, nil
}
