package bucket

import (
	"cmp"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// S3Config names a bucket of an S3 store and how to reach it.
type S3Config struct {
	Bucket string
	Prefix string // of every key, without slashes at its ends; may be empty

	Endpoint  string // "https://host:port"
	Region    string
	PathStyle bool // always https://host/bucket; else only where Endpoint is not a large cloud's

	AccessKey, SecretKey string
	SessionToken         string // of temporary credentials, or empty

	// PublicEndpoint is the address under which clients reach the store, for
	// presigned URLs; empty means Endpoint.
	PublicEndpoint string
	// NoPresign says that clients cannot reach the store at all.
	NoPresign bool
}

const (
	defaultS3Endpoint = "https://s3.amazonaws.com"
	defaultS3Region   = "us-east-1"
)

// ParseS3URL reads "s3://bucket/prefix" with the optional query parameters
// endpoint, region, path_style, public_endpoint, presign (true unless false),
// access_key, secret_key and session_token. What the query leaves out is taken
// from the environment: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, AWS_REGION or
// AWS_DEFAULT_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
// AWS_SESSION_TOKEN. An unknown parameter is an error, as it is a typing
// mistake more often than not.
func ParseS3URL(raw string, getenv func(string) string) (S3Config, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "s3" || u.Host == "" {
		return S3Config{}, fmt.Errorf("bucket: not an s3://bucket/prefix URL")
	}
	q, err := newS3Query(u.RawQuery)
	if err != nil {
		return S3Config{}, err
	}
	c := S3Config{
		Bucket:         u.Host,
		Prefix:         strings.Trim(u.Path, "/"),
		Endpoint:       cmp.Or(q.text("endpoint"), getenv("AWS_ENDPOINT_URL_S3"), getenv("AWS_ENDPOINT_URL"), defaultS3Endpoint),
		Region:         cmp.Or(q.text("region"), getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION"), defaultS3Region),
		PathStyle:      q.flag("path_style", false),
		PublicEndpoint: q.text("public_endpoint"),
		NoPresign:      !q.flag("presign", true),
		AccessKey:      q.text("access_key"),
		SecretKey:      q.text("secret_key"),
		SessionToken:   q.text("session_token"),
	}
	if c.AccessKey == "" {
		c.AccessKey = getenv("AWS_ACCESS_KEY_ID")
		c.SecretKey = getenv("AWS_SECRET_ACCESS_KEY")
		c.SessionToken = getenv("AWS_SESSION_TOKEN")
	}
	return c, cmp.Or(q.done(), c.check())
}

func (c S3Config) check() error {
	if c.AccessKey == "" || c.SecretKey == "" {
		return fmt.Errorf("bucket: no credentials for s3://%s: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", c.Bucket)
	}
	if c.Prefix != "" && CheckKey(c.Prefix) != nil {
		return fmt.Errorf("bucket: the prefix %q of s3://%s is no valid key", c.Prefix, c.Bucket)
	}
	for _, endpoint := range []string{c.Endpoint, c.PublicEndpoint} {
		if endpoint == "" {
			continue
		}
		u, err := url.Parse(endpoint)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
			return fmt.Errorf("bucket: the endpoint %q is not http://host:port or https://host:port", endpoint)
		}
	}
	return nil
}

// s3Query reads parameters once each and remembers the first mistake.
type s3Query struct {
	values url.Values
	err    error
}

func newS3Query(raw string) (*s3Query, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, fmt.Errorf("bucket: malformed query of the s3:// URL")
	}
	return &s3Query{values: values}, nil
}

func (q *s3Query) text(name string) string {
	v := q.values.Get(name)
	q.values.Del(name)
	return v
}

func (q *s3Query) flag(name string, otherwise bool) bool {
	text := q.text(name)
	if text == "" {
		return otherwise
	}
	v, err := strconv.ParseBool(text)
	if err != nil && q.err == nil {
		q.err = fmt.Errorf("bucket: %s=%s in the s3:// URL is neither true nor false", name, text)
	}
	return v
}

func (q *s3Query) done() error {
	for name := range q.values {
		return fmt.Errorf("bucket: unknown parameter %q in the s3:// URL", name)
	}
	return q.err
}
