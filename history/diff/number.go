package diff

import (
	"bytes"
	"strconv"
)

// Numbers compare by their exact decimal value. To decode them to float64 would make 9007199254740992
// and 9007199254740993 equal, and an edit from one to the other would be lost. So the value is worked
// out on the digits, of which there may be thousands, and an exponent may exceed every integer type.
//
// The layout is that of ECMAScript, which RFC 8785 takes too: small exponents are written as zeros
// and large ones with an e.

// maxPlainDigits is up to how many digits before the point a number is written without an exponent,
// as in ECMAScript.
const maxPlainDigits = 21

// plainNumber returns the canonical form of the JSON number raw if raw begins with it, else nil. That
// is the case of nearly all numbers: no exponent, not many digits, and at most zeros too many at the
// end of a fraction.
//
// It may return nil for a number that is canonical, which then takes the long way to the same text.
// So the conditions are simple instead of exact: what begins with -0 may be -0, which is 0, and what
// begins with six zeros behind the point is written with an exponent, 1e-7.
func plainNumber(raw []byte) []byte {
	if len(raw) > maxPlainDigits || raw[0] == '-' && raw[1] == '0' || bytes.HasPrefix(raw, []byte("0.000000")) {
		return nil
	}
	point := false
	for i, c := range raw {
		if c == '.' {
			point = true
		} else if c-'0' > 9 && (c != '-' || i > 0) {
			return nil
		}
	}
	if point {
		raw = bytes.TrimSuffix(bytes.TrimRight(raw, "0"), []byte("."))
	}
	return raw
}

// appendNumber appends the canonical form of the JSON number raw: the exact decimal value, with no
// digit too many, in ECMAScript's layout. Numbers have the same form if and only if they have the
// same value.
func appendNumber(dst, raw []byte) []byte {
	if plain := plainNumber(raw); plain != nil {
		return append(dst, plain...)
	}
	negative := raw[0] == '-'
	if negative {
		raw = raw[1:]
	}
	var exponent []byte
	if e := bytes.IndexAny(raw, "eE"); e >= 0 {
		raw, exponent = raw[:e], raw[e+1:]
	}
	whole, fraction, _ := bytes.Cut(raw, []byte("."))
	// The value is 0.digits times ten to the power of exponent+point. Zeros at either end of digits
	// say nothing; those at the start move the point.
	point := len(whole)
	digits := whole
	if len(fraction) > 0 {
		if trimmed := bytes.TrimLeft(whole, "0"); len(trimmed) == 0 {
			digits = fraction
			point = 0
		} else {
			digits = append(append(make([]byte, 0, 64), whole...), fraction...)
		}
	}
	n := len(digits)
	digits = bytes.TrimLeft(digits, "0")
	point -= n - len(digits)
	digits = bytes.TrimRight(digits, "0")
	if len(digits) == 0 {
		return append(dst, '0')
	}
	if negative {
		dst = append(dst, '-')
	}
	power, ok := addExponent(exponent, point)
	if !ok {
		return appendHugeExponent(appendScientific(dst, digits), exponent, point-1)
	}
	return layOut(dst, digits, power)
}

// addExponent returns the sum of the written exponent, which may be empty, and point. It is not ok if
// the exponent is so large that the sum could overflow; point is less than the length of a body.
func addExponent(exponent []byte, point int) (int, bool) {
	if len(exponent) == 0 {
		return point, true
	}
	e, err := strconv.ParseInt(string(exponent), 10, 64)
	if err != nil || e > 1e18 || e < -1e18 {
		return 0, false
	}
	return int(e) + point, true
}

// layOut appends 0.digits times ten to the power of point: as an integer, with a point between the
// digits, with zeros before them, or with an exponent.
func layOut(dst, digits []byte, point int) []byte {
	switch n := len(digits); {
	case n <= point && point <= maxPlainDigits:
		return appendZeros(append(dst, digits...), point-n)
	case 0 < point && point <= maxPlainDigits:
		dst = append(append(dst, digits[:point]...), '.')
		return append(dst, digits[point:]...)
	case -6 < point && point <= 0:
		return append(appendZeros(append(dst, "0."...), -point), digits...)
	}
	dst = appendScientific(dst, digits)
	if point > 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, int64(point-1), 10)
}

func appendZeros(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, '0')
	}
	return dst
}

// appendScientific appends digits with the point after the first one, and the e of the exponent.
func appendScientific(dst, digits []byte) []byte {
	dst = append(dst, digits[0])
	if len(digits) > 1 {
		dst = append(append(dst, '.'), digits[1:]...)
	}
	return append(dst, 'e')
}

// appendHugeExponent appends the sum of the written exponent, whose magnitude exceeds 1e18, and
// delta, which is no more than the length of a text and cannot change the sign. It adds digit by
// digit, as on paper, with delta as what is carried.
func appendHugeExponent(dst, exponent []byte, delta int) []byte {
	sign := byte('+')
	if exponent[0] == '-' {
		sign = '-'
		delta = -delta
	}
	sum := append([]byte{'0'}, bytes.TrimLeft(exponent, "+-0")...)
	for i := len(sum) - 1; delta != 0; i-- {
		delta += int(sum[i] - '0')
		digit := (delta%10 + 10) % 10
		sum[i] = byte(digit) + '0'
		delta = (delta - digit) / 10
	}
	return append(append(dst, sign), bytes.TrimLeft(sum, "0")...)
}
