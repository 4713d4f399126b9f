package daemon

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/otpd/otpd/wire"
)

// recordings are the files of --record: one for each core, NAME.otprec, with its inputs in order.
type recordings struct {
	dir   string // empty: nothing is recorded
	files []*recording
}

// recording is one core's file. Its recorder has one owner, the core's goroutine.
type recording struct {
	recorder *wire.Recorder
	buffer   *bufio.Writer
	file     *os.File
	err      error // of an input; told at the end
}

// RecordingSuffix ends the name of a recording.
const RecordingSuffix = ".otprec"

// open begins a core's recording. Without a directory it returns nil, which records nothing.
func (r *recordings) open(name, kind, config string) (*recording, error) {
	if r.dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	f, err := os.Create(filepath.Join(r.dir, name+RecordingSuffix))
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	b := bufio.NewWriterSize(f, 1<<20)
	rec, err := wire.NewRecorder(b, wire.RecordingHeader{Kind: kind, Config: config, Start: time.Now().UnixNano()})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("record: %w", err), f.Close())
	}
	one := &recording{recorder: rec, buffer: b, file: f}
	r.files = append(r.files, one)
	return one, nil
}

// input is the function that records one input, nil for nothing.
func (r *recording) input() func(wire.Message) {
	if r == nil {
		return nil
	}
	return func(m wire.Message) {
		if r.err == nil {
			r.err = r.recorder.Record(&m)
		}
	}
}

// inputErr is input for who wants to hear of errors.
func (r *recording) inputErr() func(wire.Message) error {
	if r == nil {
		return nil
	}
	return func(m wire.Message) error { return r.recorder.Record(&m) }
}

// writer is the recorder itself, nil for nothing.
func (r *recording) writer() *wire.Recorder {
	if r == nil {
		return nil
	}
	return r.recorder
}

// close ends all recordings; their cores have ended.
func (r *recordings) close() error {
	var errs []error
	for _, one := range r.files {
		errs = append(errs, one.err, one.recorder.Flush(), one.buffer.Flush(), one.file.Close())
	}
	r.files = nil
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}
