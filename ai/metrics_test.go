package ai

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

type measured []Metric

func (m measured) Metrics() []Metric { return m }

func TestMetricsAreInTheTextFormat(t *testing.T) {
	w := httptest.NewRecorder()
	MetricsHandler(
		measured{
			{Name: "a_total", Help: "Things.", Counter: true, Labels: []string{"kind", "x\"\\\n", "of", "y"}, Value: 3},
			{Name: "a_total", Help: "Things.", Counter: true, Labels: []string{"kind", "z"}, Value: 1e21},
		},
		measured{{Name: "b", Help: "Now.", Value: 0.5}},
	).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, `# HELP a_total Things.
# TYPE a_total counter
a_total{kind="x\"\\\n",of="y"} 3
a_total{kind="z"} 1e+21
# HELP b Now.
# TYPE b gauge
b 0.5
`, w.Body.String())
	require.Equal(t, "text/plain; version=0.0.4; charset=utf-8", w.Header().Get("Content-Type"))
}
