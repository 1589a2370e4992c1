package buckettest_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/internal/bucket"
	"github.com/pantryhub/pantry/internal/bucket/buckettest"
)

var errFault = errors.New("fault")

func TestFaultyPut(t *testing.T) {
	for _, test := range []struct {
		step   buckettest.Step
		stored bool
	}{
		{buckettest.Before, false},
		{buckettest.HalfWay, false},
		{buckettest.After, true},
	} {
		inner := bucket.NewMemory()
		b := buckettest.Faulty(inner, buckettest.Fault{Op: buckettest.Put, Step: test.step, Prefix: "a/", Skip: 1, Times: 1, Err: errFault})
		put := func(key string) error {
			_, err := b.Put(t.Context(), key, strings.NewReader("hello"), 5)
			return err
		}
		for _, key := range []string{"b/0", "a/0"} {
			if err := put(key); err != nil {
				t.Errorf("step %d: Put(%s): %v", test.step, key, err)
			}
		}
		if err := put("a/1"); !errors.Is(err, errFault) {
			t.Errorf("step %d: second Put below a/: %v, want the fault", test.step, err)
		}
		if _, err := inner.Stat(t.Context(), "a/1"); (err == nil) != test.stored {
			t.Errorf("step %d: Stat after the fault: %v, want stored %v", test.step, err, test.stored)
		}
		if err := put("a/1"); err != nil {
			t.Errorf("step %d: Put after the one fault: %v", test.step, err)
		}
		if n := b.Seen(buckettest.Put); n != 4 {
			t.Errorf("Seen = %d, want 4", n)
		}
	}
}

func TestFaultyReads(t *testing.T) {
	b := buckettest.Faulty(bucket.NewMemory())
	if _, err := b.Put(t.Context(), "key", strings.NewReader("hello!"), 6); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		fault buckettest.Fault
		open  bool // Open succeeds
		read  string
	}{
		{buckettest.Fault{Op: buckettest.Open, Step: buckettest.Before}, false, ""},
		{buckettest.Fault{Op: buckettest.Open, Step: buckettest.After}, false, ""},
		{buckettest.Fault{Op: buckettest.ReadAt, Step: buckettest.Before}, true, ""},
		{buckettest.Fault{Op: buckettest.ReadAt, Step: buckettest.HalfWay}, true, "hel"},
		{buckettest.Fault{Op: buckettest.ReadAt, Step: buckettest.After}, true, "hello!"},
	} {
		test.fault.Err = errFault
		b.Fail(test.fault)
		o, err := b.Open(t.Context(), "key")
		if (err == nil) != test.open || err != nil && !errors.Is(err, errFault) {
			t.Errorf("%+v: Open: %v", test.fault, err)
		}
		if err == nil {
			p := make([]byte, 6)
			n, err := o.ReadAt(p, 0)
			if string(p[:n]) != test.read || !errors.Is(err, errFault) {
				t.Errorf("%+v: ReadAt = %q, %v; want %q and the fault", test.fault, p[:n], err, test.read)
			}
			o.Close()
		}
		b.Heal()
	}
}

// TestFaultyDo uses a fault without an error to look into the middle of a Put.
func TestFaultyDo(t *testing.T) {
	looked := false
	b := buckettest.Faulty(bucket.NewMemory())
	b.Fail(buckettest.Fault{Op: buckettest.Put, Step: buckettest.HalfWay, Do: func() {
		looked = true
		if _, err := b.Stat(t.Context(), "key"); !errors.Is(err, bucket.ErrNotExist) {
			t.Errorf("Stat half-way through Put: %v, want ErrNotExist", err)
		}
	}})
	if _, err := b.Put(t.Context(), "key", io.LimitReader(strings.NewReader("hello"), 5), 5); err != nil || !looked {
		t.Errorf("Put = %v, looked: %v", err, looked)
	}
}
