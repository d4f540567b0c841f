package environment

import (
	"bytes"
	"encoding/json"
)

// storedRecord reads a record as the store holds it, also one that was stored when
// types were called objects. The next update stores it under the names of today.
func storedRecord(raw []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(raw, &r); err != nil {
		return Record{}, err
	}
	if !bytes.Contains(raw, []byte(`"object`)) {
		return r.withDefaults(), nil
	}
	type typed struct {
		Object string `json:"object"`
	}
	var old struct {
		Polling []typed  `json:"polling"`
		Ignore  []typed  `json:"ignore"`
		Objects []string `json:"objects"`
	}
	if err := json.Unmarshal(raw, &old); err != nil {
		return Record{}, err
	}
	if r.Types == nil {
		r.Types = old.Objects
	}
	for i, entry := range old.Polling {
		if r.Polling[i].Type == "" {
			r.Polling[i].Type = entry.Object
		}
	}
	for i, rule := range old.Ignore {
		if r.Ignore[i].Type == "" {
			r.Ignore[i].Type = rule.Object
		}
	}
	return r.withDefaults(), nil
}
