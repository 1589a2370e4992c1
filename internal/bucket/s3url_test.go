package bucket_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pantryhub/pantry/internal/bucket"
)

func TestParseS3URL(t *testing.T) {
	const keys = "access_key=AK&secret_key=SK"
	env := map[string]string{"AWS_ACCESS_KEY_ID": "EAK", "AWS_SECRET_ACCESS_KEY": "ESK", "AWS_SESSION_TOKEN": "ET"}
	for _, test := range []struct {
		raw  string
		env  map[string]string
		want bucket.S3Config
		err  string // part of the message
	}{
		{raw: "s3://b?" + keys, want: bucket.S3Config{
			Bucket: "b", Endpoint: "https://s3.amazonaws.com", Region: "us-east-1", AccessKey: "AK", SecretKey: "SK"}},
		{raw: "s3://b/some/prefix/", env: env, want: bucket.S3Config{
			Bucket: "b", Prefix: "some/prefix", Endpoint: "https://s3.amazonaws.com", Region: "us-east-1",
			AccessKey: "EAK", SecretKey: "ESK", SessionToken: "ET"}},
		{raw: "s3://b?" + keys, env: env, want: bucket.S3Config{ // no mixing of the two sources of keys
			Bucket: "b", Endpoint: "https://s3.amazonaws.com", Region: "us-east-1", AccessKey: "AK", SecretKey: "SK"}},
		{raw: "s3://b?endpoint=http://127.0.0.1:9000&region=eu-1&path_style=true&public_endpoint=https://s3.example.org&presign=false&" + keys,
			want: bucket.S3Config{
				Bucket: "b", Endpoint: "http://127.0.0.1:9000", Region: "eu-1", PathStyle: true,
				PublicEndpoint: "https://s3.example.org", NoPresign: true, AccessKey: "AK", SecretKey: "SK"}},
		{raw: "s3://b?" + keys, env: map[string]string{"AWS_ENDPOINT_URL": "http://h", "AWS_DEFAULT_REGION": "r"},
			want: bucket.S3Config{Bucket: "b", Endpoint: "http://h", Region: "r", AccessKey: "AK", SecretKey: "SK"}},

		{raw: "s3://b", err: "AWS_ACCESS_KEY_ID"},
		{raw: "s3://?" + keys, err: "not an s3"},
		{raw: "http://b?" + keys, err: "not an s3"},
		{raw: "s3://b?path_styl=true&" + keys, err: "path_styl"},
		{raw: "s3://b?path_style=maybe&" + keys, err: "path_style=maybe"},
		{raw: "s3://b?endpoint=ftp://x&" + keys, err: "ftp://x"},
		{raw: "s3://b?endpoint=http://x/path&" + keys, err: "http://x/path"},
		{raw: "s3://b/a/../b?" + keys, err: "prefix"},
		{raw: "s3://b?%zz", err: "query"},
	} {
		got, err := bucket.ParseS3URL(test.raw, func(name string) string { return test.env[name] })
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("ParseS3URL(%q): %v, want an error with %q", test.raw, err, test.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("ParseS3URL(%q): %v", test.raw, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("ParseS3URL(%q) (-want +got):\n%s", test.raw, diff)
		}
	}
}

func TestOpen(t *testing.T) {
	for _, location := range []string{"memory:", t.TempDir()} {
		if b, err := bucket.Open(t.Context(), location); err != nil || b.Check(t.Context()) != nil {
			t.Errorf("Open(%q): %v", location, err)
		}
	}
	for _, location := range []string{"", "gs://bucket", "s3://"} {
		if b, err := bucket.Open(context.Background(), location); err == nil || b != nil {
			t.Errorf("Open(%q) = %v, %v; want nil and an error", location, b, err)
		}
	}
}
