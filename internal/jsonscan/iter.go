package jsonscan

// Iter walks the members of one object or the elements of one array, each value checked to be
// well-formed:
//
//	it := jsonscan.Members(doc)
//	for it.Next() {
//		use(it.Key(), it.Value())
//	}
//	if err := it.Err(); err != nil { ... }
//
// What follows the last value is checked too, so an error may come after all members were seen:
// who ignores Err has perhaps walked the start of a text that is cut off.
//
// It allocates nothing unless there is an error, or [Iter.NextLike] meets an array.
type Iter struct {
	b          []byte
	i          int  // behind what was walked so far
	open       byte // '{' or '['
	state      iterState
	key, value []byte   // raw, of the current member or element
	parts      [][]byte // see NextLike
	err        error
}

type iterState uint8

const (
	atStart  iterState = iota // the opening bracket comes next
	inside                    // a comma or the closing bracket comes next
	finished                  // at the end, or at an error
)

// Members returns an iterator over the members of the object that obj is. Whatever else obj is
// gives an error.
func Members(obj []byte) Iter {
	return Iter{b: obj, open: '{'}
}

// Elements returns an iterator over the elements of the array that arr is. Whatever else arr is
// gives an error.
func Elements(arr []byte) Iter {
	return Iter{b: arr, open: '['}
}

// Next goes to the next member or element. It returns false at the end and on an error.
func (it *Iter) Next() bool {
	i, ok := it.toValue()
	return ok && it.take(i, ScanValue(it.b, i, 1))
}

// NextWith is Next that leaves the value to scan, which is told where it begins in the text and
// returns its end, or ^offset, as [ScanValue] does.
func (it *Iter) NextWith(scan func(i int) int) bool {
	i, ok := it.toValue()
	return ok && it.take(i, scan(i))
}

// take makes the text from start to end the current value; a negative end is an error, as in scan.go.
func (it *Iter) take(start, end int) bool {
	if end < 0 {
		return it.fail(^end)
	}
	it.value, it.i = it.b[start:end], end
	return true
}

// toValue goes to the start of the next value, over the comma and the key in front of it. It is not
// ok at the end and at an error.
func (it *Iter) toValue() (i int, ok bool) {
	i = Space(it.b, it.i)
	switch it.state {
	case finished:
		return 0, false
	case atStart:
		if i >= len(it.b) || it.b[i] != it.open {
			return 0, it.fail(i)
		}
		it.state = inside
		i = Space(it.b, i+1)
		if i < len(it.b) && it.b[i] == it.open+2 {
			return 0, it.close(i)
		}
	case inside:
		if i >= len(it.b) {
			return 0, it.fail(i)
		}
		if it.b[i] == it.open+2 {
			return 0, it.close(i)
		}
		if it.b[i] != ',' {
			return 0, it.fail(i)
		}
		i = Space(it.b, i+1)
	}
	if it.open == '{' {
		end, _ := ScanString(it.b, i)
		if end < 0 {
			return 0, it.fail(^end)
		}
		it.key = it.b[i:end]
		i = Space(it.b, end)
		if i >= len(it.b) || it.b[i] != ':' {
			return 0, it.fail(i)
		}
		i = Space(it.b, i+1)
	}
	return i, true
}

// close ends the walk at the closing bracket b[i], after which only space may stand.
func (it *Iter) close(i int) bool {
	it.state, it.key, it.value = finished, nil, nil
	if end := Space(it.b, i+1); end < len(it.b) {
		return it.fail(end)
	}
	return false
}

// fail ends the walk at an error. It returns false, as Next then does.
func (it *Iter) fail(offset int) bool {
	it.state, it.key, it.value = finished, nil, nil
	it.err = ErrorAt(it.b, offset)
	return false
}

// Key returns the raw key of the member, with its quotes; nil for an element of an array.
func (it *Iter) Key() []byte { return it.key }

// KeyIs reports whether the decoded key of the member is name.
func (it *Iter) KeyIs(name string) bool { return Equal(it.key, name) }

// Value returns the raw value of the member or element, without space around it.
func (it *Iter) Value() []byte { return it.value }

// Span returns where the value begins and ends in the text given to [Members] or [Elements].
func (it *Iter) Span() (start, end int) { return it.i - len(it.value), it.i }

// Err returns what ended the walk too early, with the offset inside the text given to [Members] or
// [Elements].
func (it *Iter) Err() error { return it.err }
