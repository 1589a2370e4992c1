package httpx

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Server wraps the whole hub: request id, log, metrics, panics, the headers
// that every response carries.
type Server struct {
	next     http.Handler
	log      *slog.Logger
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	bytes    prometheus.Counter
	active   prometheus.Gauge

	mu     sync.RWMutex
	series map[seriesKey]series
}

// Wrap makes a Server around next and registers its metrics.
func Wrap(next http.Handler, log *slog.Logger, reg prometheus.Registerer) *Server {
	s := &Server{
		next: next,
		log:  log, series: make(map[seriesKey]series),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pantry_http_requests_total", Help: "Requests by surface, method and status.",
		}, []string{"surface", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "pantry_http_request_seconds", Help: "Time to answer, by surface.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30, 300},
		}, []string{"surface"}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pantry_http_response_bytes_total", Help: "Body bytes sent.",
		}),
		active: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "pantry_http_requests_active", Help: "Requests being answered.",
		}),
	}
	reg.MustRegister(s.requests, s.seconds, s.bytes, s.active)
	return s
}

// Header values that every response has, made once.
var (
	nosniff = []string{"nosniff"}
	anybody = []string{"*"}
	exposed = []string{exposedHeaders}
)

// exposedHeaders lists the response headers that scripts of other origins may
// read.
const exposedHeaders = "X-Repo-Commit, X-Request-Id, X-Error-Code, X-Error-Message, X-Total-Count, ETag, Link, " +
	"Accept-Ranges, Content-Range, X-Linked-Size, X-Linked-ETag, X-Xet-Hash, X-Xet-Refresh-Route, " +
	"X-Xet-Cas-Url, X-Xet-Access-Token, X-Xet-Token-Expiration, Location"

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	state := &requestState{Context: r.Context(), id: [1]string{newRequestID()}, surface: "other", log: s.log, recorder: recorder{ResponseWriter: w}}
	r = r.WithContext(state)
	h := w.Header()
	h["X-Request-Id"] = state.id[:]
	h["X-Content-Type-Options"], h["Access-Control-Allow-Origin"], h["Access-Control-Expose-Headers"] = nosniff, anybody, exposed
	rec := &state.recorder
	s.active.Inc()
	defer s.finish(rec, r, state, start)
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		preflight(rec)
		return
	}
	s.next.ServeHTTP(rec, r)
}

// preflight answers a browser's question whether a script of another origin
// may call with credentials in a header. Cookies are never allowed across
// origins, since Allow-Credentials is not sent.
func preflight(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Range, X-Xet-Session-Id, X-Range-Dirty, X-HF-Bill-To, X-Requested-With, User-Agent")
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) finish(rec *recorder, r *http.Request, state *requestState, start time.Time) {
	s.active.Dec()
	if p := recover(); p != nil {
		if p == http.ErrAbortHandler {
			panic(p)
		}
		s.log.Error("panic", "req", state.id[0], "method", r.Method, "path", r.URL.EscapedPath(), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		if rec.status == 0 {
			WriteError(rec, r, fmt.Errorf("panic: %v", p))
		}
	}
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	took := time.Since(start)
	series := s.seriesOf(seriesKey{state.surface, methodLabel(r.Method), rec.status})
	series.requests.Inc()
	series.seconds.Observe(took.Seconds())
	s.bytes.Add(float64(rec.written))
	s.logAccess(rec, r, state, start.Add(took), took)
}

// logAccess writes the line of the access log. It gives the handler a record of
// its own: a Logger would look at the clock again, and up the stack.
func (s *Server) logAccess(rec *recorder, r *http.Request, state *requestState, at time.Time, took time.Duration) {
	h := s.log.Handler()
	if !h.Enabled(r.Context(), slog.LevelInfo) {
		return
	}
	line := slog.NewRecord(at, slog.LevelInfo, "request", 0)
	line.AddAttrs(
		slog.String("req", state.id[0]), slog.String("actor", state.actor),
		slog.String("method", r.Method), slog.String("path", logPath(r)),
		slog.Int("status", rec.status), slog.Int64("bytes", rec.written), slog.Duration("dur", took))
	_ = h.Handle(r.Context(), line) // as a Logger does
}

// seriesKey are the labels of a request.
type seriesKey struct {
	surface, method string
	status          int
}

// series are what counts the requests with the same labels.
type series struct {
	requests prometheus.Counter
	seconds  prometheus.Observer
}

// seriesOf finds the series of labels. It remembers them, which costs less than
// having them found by the names of the labels; there are few.
func (s *Server) seriesOf(key seriesKey) series {
	s.mu.RLock()
	found, ok := s.series[key]
	s.mu.RUnlock()
	if ok {
		return found
	}
	found = series{
		requests: s.requests.WithLabelValues(key.surface, key.method, strconv.Itoa(key.status)),
		seconds:  s.seconds.WithLabelValues(key.surface),
	}
	s.mu.Lock()
	s.series[key] = found
	s.mu.Unlock()
	return found
}

// methodLabel keeps strangers from inventing time series.
func methodLabel(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// logPath is the path as the log shows it: what follows /lfs/VERB/ is a
// permission and stays out.
func logPath(r *http.Request) string {
	p := r.URL.EscapedPath()
	rest, ok := strings.CutPrefix(p, "/lfs/")
	if !ok {
		return p
	}
	verb, _, _ := strings.Cut(rest, "/")
	return "/lfs/" + verb + "/…"
}

// requestState is what the log and the metrics learn about a request on its
// way down. It is not a way to hand data to services. It is the request's
// context, and holds its recorder, so that all are allocated at once.
type requestState struct {
	context.Context
	recorder recorder

	id      [1]string // the value of a header field
	actor   string
	surface string
	log     *slog.Logger
}

type stateKey struct{}

// Value implements context.Context.
func (s *requestState) Value(key any) any {
	if key == (stateKey{}) {
		return s
	}
	return s.Context.Value(key)
}

// RequestID is the id of the request that ctx belongs to, "" outside of one.
func RequestID(ctx context.Context) string {
	if s, ok := ctx.Value(stateKey{}).(*requestState); ok {
		return s.id[0]
	}
	return ""
}

// logger is where the failure of the request that ctx belongs to is logged.
func logger(ctx context.Context) *slog.Logger {
	if s, ok := ctx.Value(stateKey{}).(*requestState); ok {
		return s.log.With("req", s.id[0], "actor", s.actor)
	}
	return slog.Default()
}

// NoteActor tells the access log who is asking.
func NoteActor(ctx context.Context, name string) {
	if s, ok := ctx.Value(stateKey{}).(*requestState); ok {
		s.actor = name
	}
}

// NoteSurface tells the metrics which surface answers: "api", "resolve", ….
func NoteSurface(ctx context.Context, name string) {
	if s, ok := ctx.Value(stateKey{}).(*requestState); ok {
		s.surface = name
	}
}

// newRequestID makes an id that no other request has. It is no secret.
func newRequestID() string {
	var b [12]byte
	binary.LittleEndian.PutUint64(b[:], rand.Uint64())
	binary.LittleEndian.PutUint32(b[8:], rand.Uint32())
	return hex.EncodeToString(b[:])
}

// recorder notes status and size, and forwards what net/http's own writer can
// do: ReadFrom (past its buffers), Flush, and the rest through Unwrap.
type recorder struct {
	http.ResponseWriter
	status  int
	written int64
}

func (rec *recorder) WriteHeader(status int) {
	if rec.status == 0 && status >= 200 {
		rec.status = status
	}
	rec.ResponseWriter.WriteHeader(status)
}

func (rec *recorder) Write(p []byte) (int, error) {
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	n, err := rec.ResponseWriter.Write(p)
	rec.written += int64(n)
	return n, err
}

func (rec *recorder) ReadFrom(src io.Reader) (int64, error) {
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	n, err := io.Copy(rec.ResponseWriter, src)
	rec.written += n
	return n, err
}

func (rec *recorder) Flush() {
	if f, ok := rec.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Unwrap lets http.ResponseController reach the connection.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }
