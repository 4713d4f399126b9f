package fields

// Skip returns the length of the msgpack value at the front of b, whatever its type. ErrShort: b is a proper
// prefix of a value; ErrSyntax: a reserved byte or an extension type; ErrDepth: nested deeper than MaxDepth.
// It reads str as it comes, UTF-8 or not.
func Skip(b []byte) (n int, err error) {
	children, rest, err := skipOne(b)
	if err == nil && children != noChildren {
		rest, err = skipChildren(rest, children)
	}
	if err != nil {
		return 0, err
	}
	return len(b) - len(rest), nil
}

// skipChildren skips so many values, which are in a container.
func skipChildren(rest []byte, children uint64) ([]byte, error) {
	// left[d] is how many values are still to come in the container at depth d.
	var left [MaxDepth]uint64
	left[0] = children
	for depth := 0; ; {
		for left[depth] == 0 {
			if depth == 0 {
				return rest, nil
			}
			depth--
		}
		left[depth]--
		if len(rest) > 0 && (rest[0] < fixMap || rest[0] >= fixNeg) {
			rest = rest[1:] // most are small numbers
			continue
		}
		var err error
		if children, rest, err = skipOne(rest); err != nil {
			return nil, err
		}
		if children == noChildren {
			continue
		}
		if depth++; depth == MaxDepth {
			return nil, ErrDepth
		}
		left[depth] = children
	}
}

// noChildren is what skipOne returns for a value that is no container: an empty container counts for the depth.
const noChildren = ^uint64(0)

// skipOne skips a value that is not a container, or the header of one.
func skipOne(b []byte) (children uint64, rest []byte, err error) {
	if len(b) == 0 {
		return 0, nil, ErrShort
	}
	switch c := b[0]; {
	case c < fixMap, c >= fixNeg, c == fmtNil, c == fmtFalse, c == fmtTrue:
		return noChildren, b[1:], nil
	case c < fixArray:
		return 2 * uint64(c&15), b[1:], nil
	case c < fixStr:
		return uint64(c & 15), b[1:], nil
	case c == fmtArray16, c == fmtArray32:
		return be(b, 2<<(c-fmtArray16))
	case c == fmtMap16, c == fmtMap32:
		children, rest, err = be(b, 2<<(c-fmtMap16))
		return 2 * children, rest, err
	default:
		rest, err = skipScalar(b, c)
		return noChildren, rest, err
	}
}

// skipScalar skips a value of more than one byte that is not a container.
func skipScalar(b []byte, c byte) (rest []byte, err error) {
	var n uint64
	switch {
	case c < fmtNil, c >= fmtStr8 && c <= fmtStr32:
		n, rest, err = readStrHeader(b)
	case c >= fmtBin8 && c <= fmtBin32:
		n, rest, err = readBinHeader(b)
	case c == fmtFloat32:
		_, rest, err = be(b, 4)
	case c == fmtFloat64:
		_, rest, err = be(b, 8)
	default:
		_, _, rest, err = readInt(b)
	}
	if err != nil {
		return nil, err
	}
	_, rest, err = take(rest, n)
	return rest, err
}
