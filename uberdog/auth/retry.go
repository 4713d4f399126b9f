package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/otpd/otpd/wire"
)

// retryText stands in front of how long to wait, in the text of an error.
const retryText = "retry in "

// Busy is the refusal of an attempt that may be made again after wait. Those who serve Auth make it, clients read it by
// RetryAfter.
func Busy(code wire.Code, why string, wait time.Duration) error {
	seconds := max(1, int64((wait+time.Second-1)/time.Second))
	return &wire.Error{Code: code, Text: fmt.Sprintf("%s, %s%ds", why, retryText, seconds)}
}

// RetryAfter is how long to wait before the attempt that err refused is made again; false: err is about something else.
func RetryAfter(err error) (wait time.Duration, ok bool) {
	var e *wire.Error
	if !errors.As(err, &e) || e.Code != wire.CodeOverload && e.Code != wire.CodeRate {
		return 0, false
	}
	_, after, found := strings.Cut(e.Text, retryText)
	if !found {
		// The agent's own limit on calls: it fills up again within a second.
		return time.Second, true
	}
	wait, err = time.ParseDuration(after)
	return wait, err == nil && wait > 0
}
