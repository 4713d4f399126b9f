package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

var testRecording = []Message{
	{Body: &Tick{Unix: 1}},
	{Body: &SessionFrames{Session: do.WellKnown(7), Bytes: []byte{1, 2, 3}}},
	{To: []do.Channel{do.ObjectChannel(do.WellKnown(9))}, From: do.AI(do.WellKnown(3)), Body: &SetFields{DO: do.WellKnown(9), Fields: fields.EmptyMap()}},
}

// recorded is a recording of the messages.
func recorded(h *RecordingHeader, list ...Message) []byte {
	var b bytes.Buffer
	if h == nil {
		h = &RecordingHeader{Kind: "stateserver", Config: "partitions: 4\n", Start: 12}
	}
	r, err := NewRecorder(&b, *h)
	if err != nil {
		panic(err)
	}
	for i := range list {
		if err := r.Record(&list[i]); err != nil {
			panic(err)
		}
	}
	if err := r.Flush(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func TestARecordingIsReadBack(t *testing.T) {
	rec, err := ReadRecording(iotest.OneByteReader(bytes.NewReader(recorded(nil, testRecording...))))
	require.NoError(t, err)
	require.Equal(t, RecordingHeader{Format: 1, Kind: "stateserver", Config: "partitions: 4\n", Start: 12}, rec.Header)
	require.Equal(t, testRecording, rec.Messages)
	require.Empty(t, rec.Notice)
}

func TestARecordingCutOffAnywhereGivesWhatIsWhole(t *testing.T) {
	whole := recorded(nil, testRecording...)
	header := len(recorded(nil))
	ends := map[int]int{header: 0}
	for i := range testRecording {
		ends[len(recorded(nil, testRecording[:i+1]...))] = i + 1
	}
	count := 0
	for n := range len(whole) {
		rec, err := ReadRecording(bytes.NewReader(whole[:n]))
		if n < header {
			require.Error(t, err, "the header is needed")
			continue
		}
		require.NoError(t, err)
		if k, ok := ends[n]; ok {
			count = k
			require.Empty(t, rec.Notice)
		} else {
			require.Contains(t, rec.Notice, ErrTruncated.Error())
		}
		require.Len(t, rec.Messages, count)
	}
	rec, err := ReadRecording(bytes.NewReader(whole[:len(whole)-1]))
	require.NoError(t, err)
	require.Equal(t, "wire: read recording: 2 messages are whole, 75 bytes of the next at byte 96 are left out: recording is cut off", rec.Notice)
}

func TestAFalseLengthInARecordingCostsNothing(t *testing.T) {
	b := binary.BigEndian.AppendUint32(recorded(nil), maxRecorded)
	require.Less(t, bytesOf(func() {
		if rec, err := ReadRecording(bytes.NewReader(b)); err != nil || rec.Notice == "" {
			panic(err)
		}
	}), uint64(256<<10))
	_, err := ReadRecording(bytes.NewReader(binary.BigEndian.AppendUint32(recorded(nil), maxRecorded+1)))
	require.ErrorIs(t, err, ErrMalformed)
}

func TestWhatIsNoRecording(t *testing.T) {
	for _, b := range [][]byte{nil, []byte("otpd"), []byte("PNG recording\nxxxxxxxxxxxxx"), append(recorded(nil), 0, 0, 0, 1, 0xc0)} {
		_, err := ReadRecording(bytes.NewReader(b))
		require.ErrorIs(t, err, ErrMalformed)
	}
	_, err := ReadRecording(bytes.NewReader([]byte(recordingMagic)))
	require.ErrorIs(t, err, ErrTruncated)
	newer := recorded(nil)
	newer[len(recordingMagic)+recordLength+1]++
	_, err = ReadRecording(bytes.NewReader(newer))
	require.EqualError(t, err, "wire: open recording: format 2, this program reads 1: malformed")
}

func TestAReadErrorIsNoEnd(t *testing.T) {
	broken := errors.New("disk")
	_, err := ReadRecording(io.MultiReader(bytes.NewReader(recorded(nil, testRecording...)), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
}

type failingWriter struct{ left int }

func (w *failingWriter) Write(b []byte) (int, error) {
	w.left--
	if w.left < 0 {
		return 0, errors.New("disk full")
	}
	return len(b), nil
}

func TestARecorderStaysFailed(t *testing.T) {
	_, err := NewRecorder(&failingWriter{}, RecordingHeader{})
	require.Error(t, err)
	r, err := NewRecorder(&failingWriter{left: 1}, RecordingHeader{})
	require.NoError(t, err)
	m := Message{Body: &SchemaRecord{Text: make([]byte, 100<<10)}}
	require.ErrorContains(t, r.Record(&m), "disk full")
	require.ErrorContains(t, r.Record(&testRecording[0]), "disk full")
	require.ErrorContains(t, r.Flush(), "disk full")
}

func TestRecordingAllocatesNothing(t *testing.T) {
	r, err := NewRecorder(io.Discard, RecordingHeader{})
	require.NoError(t, err)
	m := &testRecording[2]
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if err := r.Record(m); err != nil {
			panic(err)
		}
	}))
}
