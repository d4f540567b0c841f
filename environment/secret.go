package environment

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
)

// How a secret prints. In the store it is sealed, which vault.go does and undoes.

// redacted is what a Secret prints as. Record.Check refuses it as a secret, in case somebody feeds
// a printed record back in.
const redacted = "[redacted]"

// A Secret is a string that prints, logs and marshals as "[redacted]". Only Reveal gives it away.
// From JSON it reads the string itself. The zero Secret is empty, and prints as nothing.
type Secret struct {
	// Behind a pointer even a dump of an unexported field shows an address.
	value *string
}

// NewSecret returns a Secret that holds s.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{&s}
}

// Reveal returns the string.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.value == nil }

func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// Format prints the redacted form for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements encoding.TextMarshaler with the redacted form.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalJSON takes the string itself.
func (s *Secret) UnmarshalJSON(b []byte) error {
	var v string
	if json.Unmarshal(b, &v) != nil {
		return errors.New("a secret is a JSON string") // the offending value stays out of the error
	}
	*s = NewSecret(v)
	return nil
}
