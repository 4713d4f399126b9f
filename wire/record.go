package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A recording is everything that one pure core was given, in order, so that the same steps can be made again.
// It is a file of
//
//	"otpd recording\n"
//	length, header: a msgpack array [format, kind, config, unix nanoseconds of the start]
//	length, message: as AppendMessage has it, but recipients may be none
//	...
//
// where a length is 4 bytes, big endian, and counts the bytes that follow it up to the next length.
const (
	recordingMagic = "otpd recording\n"
	// recordingFormat grows when older readers could not read what newer writers write.
	recordingFormat = 1
	// maxRecorded is how many bytes one message of a recording may have.
	maxRecorded = 64 << 20
)

// ErrTruncated says that a recording ends within a message, as when its process was killed. What came before is whole.
var ErrTruncated = errors.New("recording is cut off")

// RecordingHeader tells what was recorded.
type RecordingHeader struct {
	Format uint32 // of the file; 0 when writing: the newest
	Kind   string // which core: stateserver, clientagent, ...
	Config string // what it was made with, as text that its package reads
	Start  int64  // unix nanoseconds
}

func (m *RecordingHeader) code(c *coder) {
	num(c, "format", &m.Format)
	c.string("kind", &m.Kind)
	c.string("config", &m.Config)
	c.int("start", &m.Start)
}

// Recorder writes a recording. It has one owner. After an error it writes nothing more and returns that error.
type Recorder struct {
	w     *bufio.Writer
	buf   []byte
	coder coder // used again for each message: a core's inputs are many
	err   error
}

// NewRecorder begins a recording on w.
func NewRecorder(w io.Writer, h RecordingHeader) (*Recorder, error) {
	r := &Recorder{w: bufio.NewWriterSize(w, 64<<10)}
	h.Format = recordingFormat
	if _, err := r.w.WriteString(recordingMagic); err != nil {
		return nil, fmt.Errorf("wire: begin recording: %w", err)
	}
	c := coder{mode: encoding, buf: make([]byte, recordLength)}
	m := c.open()
	h.code(&c)
	c.close(m)
	r.buf = c.buf
	if err := r.write(); err != nil {
		return nil, err
	}
	return r, r.Flush()
}

// recordLength is the size of the length before each record.
const recordLength = 4

// Record appends what the core was given. It must have a body; recipients may be none.
func (r *Recorder) Record(m *Message) error {
	if r.err != nil {
		return r.err
	}
	r.coder = coder{mode: encoding, buf: append(r.buf[:0], 0, 0, 0, 0)}
	r.coder.envelope(m)
	r.buf = r.coder.buf
	return r.write()
}

// write writes buf, whose first bytes are room for the length of the rest.
func (r *Recorder) write() error {
	n := len(r.buf) - recordLength
	if n > maxRecorded {
		r.err = fmt.Errorf("wire: record a message of %d bytes: above %d", n, maxRecorded)
		return r.err
	}
	binary.BigEndian.PutUint32(r.buf, uint32(n))
	if _, err := r.w.Write(r.buf); err != nil {
		r.err = fmt.Errorf("wire: record: %w", err)
	}
	return r.err
}

// Flush hands what is buffered to the writer below.
func (r *Recorder) Flush() error {
	if r.err != nil {
		return r.err
	}
	if err := r.w.Flush(); err != nil {
		r.err = fmt.Errorf("wire: record: %w", err)
	}
	return r.err
}

// RecordingReader reads a recording message by message.
type RecordingReader struct {
	Header RecordingHeader

	r    *bufio.Reader
	at   int64 // bytes read so far
	read int   // messages read so far
}

// OpenRecording reads a recording's header. Errors wrap ErrMalformed or ErrTruncated.
func OpenRecording(r io.Reader) (*RecordingReader, error) {
	f := &RecordingReader{r: bufio.NewReaderSize(r, 64<<10)}
	magic := make([]byte, len(recordingMagic))
	if _, err := io.ReadFull(f.r, magic); err != nil || string(magic) != recordingMagic {
		return nil, fmt.Errorf("wire: open recording: it does not begin as one: %w", ErrMalformed)
	}
	f.at = int64(len(magic))
	b, err := f.record()
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("wire: open recording: no header: %w", ErrTruncated)
	}
	if err != nil {
		return nil, err
	}
	c := coder{mode: decoding, buf: b}
	m := c.open()
	f.Header.code(&c)
	c.close(m)
	if err := c.finish(); err != nil {
		return nil, fmt.Errorf("wire: open recording: %w: %w", ErrMalformed, err)
	}
	if f.Header.Format != recordingFormat {
		return nil, fmt.Errorf("wire: open recording: format %d, this program reads %d: %w", f.Header.Format, recordingFormat, ErrMalformed)
	}
	return f, nil
}

// Next is the next message; io.EOF at the end, an error that wraps ErrTruncated where the recording is cut off
// within a message.
func (f *RecordingReader) Next() (Message, error) {
	b, err := f.record()
	if err != nil {
		return Message{}, err
	}
	var m Message
	c := coder{mode: decoding, buf: b, loose: true}
	c.envelope(&m)
	if err := c.finish(); err != nil {
		return Message{}, fmt.Errorf("wire: read recording: message %d: %w: %w", f.read+1, ErrMalformed, err)
	}
	f.read++
	return m, nil
}

// record reads a length and what it counts.
func (f *RecordingReader) record() ([]byte, error) {
	var head [recordLength]byte
	n, err := io.ReadFull(f.r, head[:])
	switch {
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, f.truncated(n, err)
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxRecorded {
		return nil, fmt.Errorf("wire: read recording: %d bytes after byte %d: %w", size, f.at, ErrMalformed)
	}
	// ReadAll grows with what is there, so that a false length costs nothing.
	b, err := io.ReadAll(io.LimitReader(f.r, int64(size)))
	if err != nil || len(b) < int(size) {
		return nil, f.truncated(recordLength+len(b), err)
	}
	f.at += recordLength + int64(size)
	return b, nil
}

// truncated is the notice to people that the tail is missing.
func (f *RecordingReader) truncated(n int, err error) error {
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("wire: read recording after byte %d: %w", f.at, err)
	}
	return fmt.Errorf("wire: read recording: %d messages are whole, %d bytes of the next at byte %d are left out: %w", f.read, n, f.at, ErrTruncated)
}

// Recording is a whole recording in memory.
type Recording struct {
	Header   RecordingHeader
	Messages []Message
	Notice   string // what is missing at its end; "" when it is whole
}

// ReadRecording reads all of a recording. One that is cut off within its last message is read up to there, and
// Notice says so.
func ReadRecording(r io.Reader) (*Recording, error) {
	f, err := OpenRecording(r)
	if err != nil {
		return nil, err
	}
	rec := &Recording{Header: f.Header}
	for {
		m, err := f.Next()
		switch {
		case errors.Is(err, io.EOF):
			return rec, nil
		case errors.Is(err, ErrTruncated):
			rec.Notice = err.Error()
			return rec, nil
		case err != nil:
			return nil, err
		}
		rec.Messages = append(rec.Messages, m)
	}
}
