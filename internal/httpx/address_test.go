package httpx

import (
	"net/http"
	"testing"
)

func TestClientAddress(t *testing.T) {
	address, err := ClientAddress([]string{"10.0.0.0/8", "192.0.2.1", "::1"})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		remote    string
		forwarded []string
		want      string
	}{
		{"203.0.113.5:1", nil, "203.0.113.5"},
		{"203.0.113.5:1", []string{"198.51.100.1"}, "203.0.113.5"}, // a stranger's word
		{"10.1.2.3:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"10.1.2.3:1", []string{"6.6.6.6, 198.51.100.1, 192.0.2.1"}, "198.51.100.1"},
		{"10.1.2.3:1", []string{"6.6.6.6", "198.51.100.1"}, "198.51.100.1"},
		{"10.1.2.3:1", nil, "10.1.2.3"},
		{"10.1.2.3:1", []string{"nonsense"}, "10.1.2.3"},
		{"[::1]:1", []string{"2001:db8::7"}, "2001:db8::7"},
		{"[::ffff:10.1.2.3]:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"pipe", nil, "pipe"},
	}
	for _, tt := range tests {
		r := &http.Request{RemoteAddr: tt.remote, Header: http.Header{"X-Forwarded-For": tt.forwarded}}
		if got := address(r); got != tt.want {
			t.Errorf("%s forwarded for %q: %q, want %q", tt.remote, tt.forwarded, got, tt.want)
		}
	}
	if _, err := ClientAddress([]string{"proxy.local"}); err == nil {
		t.Error("a host name is accepted as a proxy")
	}
}
