package wire

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRequestsToSessionsAreKnown(t *testing.T) {
	requests := 0
	for _, s := range messages {
		body := s.empty()
		context := reflect.ValueOf(body).Elem().FieldByName("Context")
		if !context.IsValid() {
			continue
		}
		context.SetUint(7)
		want := uint32(0)
		if s.to == "the session" {
			want = 7
			requests++
		}
		require.Equal(t, want, SessionRequest(body), s.name)
	}
	require.Positive(t, requests)
	require.Zero(t, SessionRequest(&SetState{}), "nobody waits for an answer")
}
