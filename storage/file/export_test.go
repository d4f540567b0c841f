package file

// EncodeRaw returns what a file holds for a small value.
func EncodeRaw(key, value string) []byte {
	c, err := newCodec()
	if err != nil {
		panic(err)
	}
	return c.encode(key, []byte(value))
}
