package postgres

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// Options are the options of [Open] and [New].
type Options struct {
	// Schema is the schema of the database that holds the store and nothing
	// else. Any name will do, in the case that it is written in.
	// Defaults to "cxsync".
	Schema string
	// NoMigrate leaves the schema as it is: [Open] and [New] fail if it is not
	// there or of an older version. It suits a role that may not create tables,
	// see Permissions. Defaults to false.
	NoMigrate bool
}

func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.Schema == "" {
		opts.Schema = "cxsync"
	}
	return opts
}

// maxName is how long a name can be; PostgreSQL cuts longer ones.
const maxName = 63

func (o Options) validate() error {
	switch {
	case len(o.Schema) > maxName:
		return fmt.Errorf("schema name of %d bytes, at most %d", len(o.Schema), maxName)
	case !utf8.ValidString(o.Schema) || strings.ContainsRune(o.Schema, 0):
		return errors.New("schema name is not UTF-8, or has a NUL")
	case strings.Contains(o.Schema, quote):
		return fmt.Errorf("schema name %q has %s in it, which quotes functions", o.Schema, quote)
	}
	return nil
}

// quote begins and ends the bodies of the functions that the migrations make.
const quote = "$cxsync$"

// qualify puts the name of the schema into a statement.
func (o Options) qualify(sql string) string {
	return strings.ReplaceAll(sql, "{{schema}}", pgx.Identifier{o.Schema}.Sanitize())
}
