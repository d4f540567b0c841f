package storage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
)

// GetJSON returns the value of key, decoded from JSON. It returns ErrNotFound
// if there is none.
func GetJSON[T any](ctx context.Context, s Store, key string) (T, error) {
	data, err := s.Get(ctx, key)
	if err != nil {
		return *new(T), err
	}
	return decodeJSON[T](key, data)
}

func decodeJSON[T any](key string, data []byte) (v T, err error) {
	if err := json.Unmarshal(data, &v); err != nil {
		return *new(T), &KeyError{Key: key, Err: fmt.Errorf("decoding: %w", err)}
	}
	return v, nil
}

// PutJSON sets key to v, encoded as JSON. After an error nothing was added.
func (b *Batch) PutJSON(key string, v any) error {
	data, err := encodeJSON(v)
	if err != nil {
		return &KeyError{Key: key, Err: fmt.Errorf("encoding: %w", err)}
	}
	b.Put(key, data)
	return nil
}

// encodeJSON is json.Marshal without the escapes for HTML, which only cost
// space here.
func encodeJSON(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
