package sign

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

func TestSealAndOpen(t *testing.T) {
	k, err := NewKey(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewKey(bytes.Repeat([]byte{2}, 32))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	value := k.Seal("a", []byte("payload"), now.Add(time.Minute))
	tampered := []byte(value)
	tampered[3] ^= 1
	tests := []struct {
		name    string
		key     Key
		purpose string
		value   string
		at      time.Time
		want    error
	}{
		{"good", k, "a", value, now, nil},
		{"last moment", k, "a", value, now.Add(59 * time.Second), nil},
		{"expired", k, "a", value, now.Add(time.Minute), ErrExpired},
		{"other purpose", k, "b", value, now, ErrBad},
		{"other key", other, "a", value, now, ErrBad},
		{"tampered", k, "a", string(tampered), now, ErrBad},
		{"truncated", k, "a", value[:len(value)-4], now, ErrBad},
		{"not base64", k, "a", "!!", now, ErrBad},
		{"empty", k, "a", "", now, ErrBad},
	}
	for _, tt := range tests {
		got, err := tt.key.Open(tt.purpose, tt.value, tt.at)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if err == nil && string(got) != "payload" {
			t.Errorf("%s: payload %q", tt.name, got)
		}
	}
	if _, err := NewKey(make([]byte, 31)); err == nil {
		t.Error("a short key is accepted")
	}
}
