package repository

import (
	"errors"
)

// Errors of the repository. What a server answers is a wire.Error, which errors.Is compares by its Code.
var (
	// ErrClosed says that the repository was closed or lost its link for good.
	ErrClosed = errors.New("repository is closed")
	// ErrNoObject says that the object is not in this repository, or not any more.
	ErrNoObject = errors.New("object is not in the repository")
	// ErrOtherPartition says that a handler named an object that another State may hold: one bundle goes to one State.
	ErrOtherPartition = errors.New("object is in another partition: a bundle goes to one State")
	// ErrNoHandler says that something waits outside of a handler, which would stop the loop: use Do.
	ErrNoHandler = errors.New("waiting outside of a handler would stop the loop: use Do")
	// ErrDenied says that a client may not set a field, by its keywords.
	ErrDenied = errors.New("field may not be set from here")
	// ErrOffLoop says that an object was touched from another goroutine than the loop's (dev mode only).
	ErrOffLoop = errors.New("not on the repository's loop")
	// ErrSchema says that there is no schema yet, or that it lacks a class.
	ErrSchema = errors.New("class is not in the cluster's schema")
	// ErrAnswered marks, in what is reported, that the caller was told: a game that refuses is no trouble.
	ErrAnswered = errors.New("refused")
	// ErrPanic wraps a panic of a game's handler.
	ErrPanic = errors.New("handler panicked")
	// ErrUnanswered says that the deadline passed without an answer. For a call or a set the outcome is then unknown.
	ErrUnanswered = errors.New("no answer before the deadline")
)
